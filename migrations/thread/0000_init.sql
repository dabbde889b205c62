CREATE TABLE `due` (
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`at` integer NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`kind`, `subject`)
);
--> statement-breakpoint
CREATE INDEX `due_by_time` ON `due` (`at`);--> statement-breakpoint
CREATE TABLE `messages` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`run_id` text NOT NULL,
	`run_index` integer NOT NULL,
	`role` text NOT NULL,
	`content` text NOT NULL,
	`input_json` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `messages_once` ON `messages` (`run_index`,`role`);--> statement-breakpoint
CREATE TABLE `runs` (
	`run_index` integer PRIMARY KEY NOT NULL,
	`run_id` text NOT NULL,
	`parent_run_id` text,
	`writable` integer NOT NULL,
	`idempotency_key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`spec_json` text NOT NULL,
	`view_json` text NOT NULL,
	`over` integer NOT NULL,
	`released_at` integer,
	`heard_at` integer NOT NULL,
	`workspace_json` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `runs_run_id_unique` ON `runs` (`run_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `runs_idempotency_key_unique` ON `runs` (`idempotency_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `runs_one_writable` ON `runs` (`writable`) WHERE "runs"."writable" = 1;--> statement-breakpoint
CREATE INDEX `runs_open` ON `runs` (`run_index`) WHERE "runs"."over" = 0;--> statement-breakpoint
CREATE TABLE `thread` (
	`id` integer PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`latest_run_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`registered_at` integer
);
