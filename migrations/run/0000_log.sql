CREATE TABLE `document` (
	`name` text PRIMARY KEY NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `due` (
	`what` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`tries` integer NOT NULL,
	`mark` integer NOT NULL
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
	`next` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `step` (
	`id` integer PRIMARY KEY NOT NULL,
	`attempt` integer NOT NULL,
	`n` integer NOT NULL,
	`seq` integer NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `upload` (
	`id` text PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`attempt` integer NOT NULL
);
