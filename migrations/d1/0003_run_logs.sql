CREATE TABLE `run_logs` (
	`run_id` text PRIMARY KEY NOT NULL,
	`org_id` text NOT NULL,
	`project_id` text NOT NULL,
	`ended_at` integer NOT NULL,
	`manifest` text NOT NULL,
	`pruned_at` integer
);
--> statement-breakpoint
CREATE INDEX `run_logs_to_prune` ON `run_logs` (`pruned_at`,`org_id`,`ended_at`);--> statement-breakpoint
ALTER TABLE `orgs` ADD `log_retention_days` integer;