import { createHash, randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Api } from "./api.ts";
import type { Platform } from "./platform.ts";

/** Registers another tenant, which no route can do yet, and answers a client with its key. Restarts the edge. */
export async function addOrg(platform: Platform, slug: string): Promise<Api> {
  const key = `key-${randomUUID()}`;
  const orgId = randomUUID();
  await platform.kill();
  const database = openRegistry(platform.stateDirectory);
  database
    .prepare("INSERT INTO orgs (id, slug, name, created_at) VALUES (?, ?, ?, ?)")
    .run(orgId, slug, slug, Date.now());
  database
    .prepare(
      "INSERT INTO api_keys (id, hash, org_id, name, role, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(randomUUID(), sha256(key), orgId, "test", "admin", Date.now());
  database.close();
  await platform.start();
  return new Api(platform.url, key);
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The one of the state's databases that holds the keys. */
function openRegistry(stateDirectory: string): DatabaseSync {
  for (const file of globSync(`${stateDirectory}/**/*.sqlite`)) {
    const database = new DatabaseSync(file);
    const found = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'api_keys'").get();
    if (found) return database;
    database.close();
  }
  throw new Error(`no registry in ${stateDirectory}`);
}
