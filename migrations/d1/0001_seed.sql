-- The org that a single-tenant installation lives in.
INSERT INTO `orgs` (`id`, `slug`, `name`, `created_at`) VALUES
	('00000000-0000-7000-8000-000000000001', 'default', 'Default', 1795132800000);
--> statement-breakpoint
-- USD per 1000 tokens. A new price is a new version in a later migration, never an edit here.
INSERT INTO `model_pricing`
	(`provider`, `model`, `currency`, `input_per_1k`, `output_per_1k`, `cached_input_per_1k`, `pricing_version`, `active`, `created_at`)
VALUES
	('openai', 'gpt-5', 'USD', 0.01, 0.03, 0.001, 'seed:v1', 1, 1795132800000),
	('openai', 'gpt-5-mini', 'USD', 0.0015, 0.006, 0.00015, 'seed:v1', 1, 1795132800000),
	('openai', 'gpt-4.1', 'USD', 0.01, 0.03, 0.001, 'seed:v1', 1, 1795132800000),
	('anthropic', 'claude-3-7-sonnet-latest', 'USD', 0.003, 0.015, 0.0003, 'seed:v1', 1, 1795132800000),
	('xai', 'grok-3', 'USD', 0.005, 0.015, 0.0005, 'seed:v1', 1, 1795132800000),
	('zai', 'glm-4.5', 'USD', 0.003, 0.009, 0.0003, 'seed:v1', 1, 1795132800000);
