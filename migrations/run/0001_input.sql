CREATE TABLE `input` (
	`n` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`content` text
);
