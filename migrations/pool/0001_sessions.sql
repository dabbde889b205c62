CREATE TABLE `commands` (
	`key` text PRIMARY KEY NOT NULL,
	`run_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`kind` text NOT NULL,
	`body` text NOT NULL,
	`since` integer NOT NULL,
	`next_at` integer NOT NULL,
	`tries` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `waiting` ADD `spec` text;--> statement-breakpoint
ALTER TABLE `waiting` ADD `started` integer DEFAULT 0 NOT NULL;