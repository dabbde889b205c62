import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { pruneDeliveries } from "./prune-deliveries.ts";

const dayMs = 24 * 60 * 60_000;

/** So many deliveries with two tries each, under one project. Null: still pending. */
async function addDeliveries(project: string, count: number, settledAt: number | null) {
  const status = settledAt === null ? "pending" : "dead";
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  const each = JSON.stringify(ids);
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO webhook_deliveries (id, org_id, project_id, run_id, webhook_id, seq, type, event_at," +
        " status, tries, next_at, created_at, settled_at)" +
        " SELECT value, 'org', ?, 'run', 'webhook', 1, 'run.failed', 0, ?, 2, 0, 0, ? FROM json_each(?)",
    ).bind(project, status, settledAt, each),
    env.DB.prepare(
      "INSERT INTO webhook_attempts (delivery_id, at, ok, duration_ms)" +
        " SELECT ids.value, 0, 0, 1 FROM json_each(?) ids, json_each('[1,2]')",
    ).bind(each),
  ]);
}

async function countOf(project: string) {
  const query =
    "SELECT count(DISTINCT d.id) AS deliveries, count(a.id) AS attempts FROM webhook_deliveries d" +
    " LEFT JOIN webhook_attempts a ON a.delivery_id = d.id WHERE d.project_id = ?";
  return env.DB.prepare(query).bind(project).first();
}

const attemptsInAll = () => env.DB.prepare("SELECT count(*) FROM webhook_attempts").first();

it("deletes what was settled long ago, more than one batch of it, and nothing else", async () => {
  const now = Date.now();
  const before = await attemptsInAll();
  await addDeliveries("old", 501, now - 31 * dayMs);
  expect(await countOf("old")).toEqual({ deliveries: 501, attempts: 1002 });
  await pruneDeliveries(env);
  expect(await countOf("old")).toEqual({ deliveries: 0, attempts: 0 });
  expect(await attemptsInAll()).toEqual(before);

  await addDeliveries("young", 2, now - 29 * dayMs);
  await addDeliveries("pending", 1, null);
  await pruneDeliveries(env);
  expect(await countOf("young")).toEqual({ deliveries: 2, attempts: 4 });
  await pruneDeliveries({ DB: env.DB, WEBHOOK_LOG_DAYS: "28" });
  expect(await countOf("young")).toEqual({ deliveries: 0, attempts: 0 });
  await pruneDeliveries({ DB: env.DB, WEBHOOK_LOG_DAYS: "0" });
  expect(await countOf("pending")).toEqual({ deliveries: 1, attempts: 2 });
});
