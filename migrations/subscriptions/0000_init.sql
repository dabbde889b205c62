CREATE TABLE `stream` (
	`name` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`tail` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `link` (
	`subscription` text NOT NULL,
	`name` text NOT NULL,
	`explicit` integer NOT NULL,
	`glob` integer NOT NULL,
	`acked` integer,
	`told` integer,
	PRIMARY KEY(`subscription`, `name`)
);
--> statement-breakpoint
CREATE INDEX `link_by_name` ON `link` (`name`);--> statement-breakpoint
CREATE INDEX `link_unasked` ON `link` (`name`) WHERE acked IS NULL;--> statement-breakpoint
CREATE TABLE `subscription` (
	`id` text PRIMARY KEY NOT NULL,
	`body` text NOT NULL,
	`due_at` integer
);
--> statement-breakpoint
CREATE INDEX `subscription_by_due` ON `subscription` (`due_at`);--> statement-breakpoint
CREATE TABLE `document` (
	`name` text PRIMARY KEY NOT NULL,
	`body` text NOT NULL
);
