CREATE TABLE `document` (
	`name` text PRIMARY KEY NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `fork` (
	`name` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE `log` (
	`first` integer PRIMARY KEY NOT NULL,
	`n` integer NOT NULL,
	`at` integer NOT NULL,
	`attempt` integer NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `producer` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`last` integer NOT NULL
);
