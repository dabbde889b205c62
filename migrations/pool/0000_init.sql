CREATE TABLE `holders` (
	`project_id` text PRIMARY KEY NOT NULL,
	`runner_id` text NOT NULL,
	`taken_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `offers` (
	`run_id` text PRIMARY KEY NOT NULL,
	`attempt` integer NOT NULL,
	`runner_id` text NOT NULL,
	`deadline` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `offers_by_runner` ON `offers` (`runner_id`);--> statement-breakpoint
CREATE INDEX `offers_by_deadline` ON `offers` (`deadline`);--> statement-breakpoint
CREATE TABLE `refusals` (
	`run_id` text NOT NULL,
	`runner_id` text NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`run_id`, `runner_id`)
);
--> statement-breakpoint
CREATE TABLE `waiting` (
	`place` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`since` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `waiting_run_id_unique` ON `waiting` (`run_id`);--> statement-breakpoint
CREATE INDEX `waiting_since` ON `waiting` (`since`);