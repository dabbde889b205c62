CREATE TABLE `warm_pods` (
	`pod_name` text PRIMARY KEY NOT NULL,
	`runner_id` text NOT NULL,
	`seen_at` integer NOT NULL,
	`spent` integer DEFAULT 0 NOT NULL
);
