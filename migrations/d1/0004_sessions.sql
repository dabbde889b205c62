CREATE TABLE `pools` (
	`org_id` text NOT NULL,
	`name` text NOT NULL,
	`token_hash` text NOT NULL,
	`workspace_backend` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`org_id`, `name`),
	FOREIGN KEY (`org_id`) REFERENCES `orgs`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `pools_token_hash_unique` ON `pools` (`token_hash`);--> statement-breakpoint
CREATE TABLE `session_logs` (
	`org_id` text NOT NULL,
	`run_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`container` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`stored_at` integer NOT NULL,
	`keep_until` integer,
	PRIMARY KEY(`org_id`, `run_id`, `attempt`, `container`)
);
--> statement-breakpoint
CREATE INDEX `session_logs_to_prune` ON `session_logs` (`keep_until`);