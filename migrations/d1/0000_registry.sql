CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`org_id` text NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`project_id` text,
	`expires_at` integer,
	`last_used_at` integer,
	`revoked_at` integer,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`org_id`) REFERENCES `orgs`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_hash_unique` ON `api_keys` (`hash`);--> statement-breakpoint
CREATE INDEX `api_keys_by_org` ON `api_keys` (`org_id`);--> statement-breakpoint
CREATE TABLE `artifacts` (
	`key` text PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`run_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`kind` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`file_count` integer,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `artifacts_by_run` ON `artifacts` (`org_id`,`run_id`);--> statement-breakpoint
CREATE TABLE `model_pricing` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`currency` text DEFAULT 'USD' NOT NULL,
	`input_per_1k` real NOT NULL,
	`output_per_1k` real NOT NULL,
	`cached_input_per_1k` real,
	`reasoning_per_1k` real,
	`pricing_version` text NOT NULL,
	`active` integer DEFAULT true NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `model_pricing_version` ON `model_pricing` (`provider`,`model`,`pricing_version`);--> statement-breakpoint
CREATE UNIQUE INDEX `model_pricing_active` ON `model_pricing` (lower("provider"),lower("model")) WHERE "model_pricing"."active" = 1;--> statement-breakpoint
CREATE TABLE `orgs` (
	`id` text PRIMARY KEY NOT NULL,
	`slug` text NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `orgs_slug_unique` ON `orgs` (`slug`);--> statement-breakpoint
CREATE TABLE `projects` (
	`org_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`latest_run_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `projects_by_update` ON `projects` (`org_id`,`updated_at`,`created_at`);--> statement-breakpoint
CREATE TABLE `run_index` (
	`run_id` text PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`run_index` integer NOT NULL,
	`status` text NOT NULL,
	`version` integer NOT NULL,
	`attempt` integer NOT NULL,
	`provider` text,
	`model` text,
	`input_tokens` integer,
	`output_tokens` integer,
	`total_tokens` integer,
	`cost_usd` real,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`completed_at` integer,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `run_index_by_org` ON `run_index` (`org_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `run_index_by_project` ON `run_index` (`org_id`,`project_id`,`run_index`);--> statement-breakpoint
CREATE INDEX `run_index_by_status` ON `run_index` (`org_id`,`status`,`created_at`);