import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";

// Setup files run before each file, outside its isolated storage; applying twice changes nothing.
const { DB, TEST_MIGRATIONS } = env as unknown as {
  readonly DB: D1Database;
  readonly TEST_MIGRATIONS: D1Migration[];
};
await applyD1Migrations(DB, TEST_MIGRATIONS);
