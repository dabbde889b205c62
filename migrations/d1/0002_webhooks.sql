CREATE TABLE `webhook_attempts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`delivery_id` text NOT NULL,
	`at` integer NOT NULL,
	`ok` integer NOT NULL,
	`status_code` integer,
	`duration_ms` integer NOT NULL,
	`error` text,
	`next_at` integer
);
--> statement-breakpoint
CREATE INDEX `webhook_attempts_by_delivery` ON `webhook_attempts` (`delivery_id`);--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`run_id` text NOT NULL,
	`webhook_id` text NOT NULL,
	`seq` integer NOT NULL,
	`type` text NOT NULL,
	`event_at` integer NOT NULL,
	`status` text NOT NULL,
	`tries` integer NOT NULL,
	`next_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`settled_at` integer
);
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_by_project` ON `webhook_deliveries` (`org_id`,`project_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_by_run` ON `webhook_deliveries` (`org_id`,`run_id`,`seq`);--> statement-breakpoint
CREATE TABLE `webhook_secrets` (
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`webhook_id` text NOT NULL,
	`sealed` text NOT NULL,
	`previous_sealed` text,
	`previous_until` integer,
	PRIMARY KEY(`org_id`, `project_id`, `webhook_id`)
);
--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`run_id` text DEFAULT '' NOT NULL,
	`url` text NOT NULL,
	`events` text NOT NULL,
	`disabled_reason` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `webhooks_by_project` ON `webhooks` (`org_id`,`project_id`,`run_id`);