import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { RunSpec, WebhookEvent } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import {
  attach,
  dueOf,
  makeClock,
  makeSpec,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

const waitMs = 10_000;

/** Nothing is sent to it: such an address is refused. */
const url = "https://127.0.0.1/hook";

interface WebhookRow {
  readonly events?: readonly WebhookEvent[];
  readonly runId?: string;
  readonly disabledReason?: string;
}

async function addWebhook({ orgId, projectId }: RunSpec, row: WebhookRow = {}): Promise<string> {
  const id = crypto.randomUUID();
  const { events = ["run.succeeded"], runId = "", disabledReason = null } = row;
  const now = Date.now();
  await env.DB.prepare(
    "INSERT INTO webhooks (id, org_id, project_id, run_id, url, events, disabled_reason, created_at, updated_at)" +
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  )
    .bind(id, orgId, projectId, runId, url, JSON.stringify(events), disabledReason, now, now)
    .run();
  return id;
}

interface DeliveryRow {
  readonly id: string;
  readonly status: string;
  readonly seq: number;
}

async function deliveriesOf({ orgId, runId }: RunSpec): Promise<readonly DeliveryRow[]> {
  const { results } = await env.DB.prepare(
    "SELECT id, status, seq FROM webhook_deliveries WHERE org_id = ? AND run_id = ? ORDER BY id",
  )
    .bind(orgId, runId)
    .all<DeliveryRow>();
  return results;
}

async function settle({ runId }: RunSpec, status: string): Promise<void> {
  await env.DB.prepare("UPDATE webhook_deliveries SET status = ? WHERE run_id = ?")
    .bind(status, runId)
    .run();
}

async function startedRun(spec: RunSpec) {
  await releasedRun(spec);
  const runner = await attach(spec);
  await runner.claim();
  return runner;
}

async function finish(spec: RunSpec): Promise<void> {
  const runner = await startedRun(spec);
  await runner.append(1, [], { outcome: { kind: "succeeded", output: "x" } });
}

const isOwed = async (spec: RunSpec): Promise<boolean> =>
  (await dueOf(spec)).some((what) => what.startsWith("webhook:"));

async function alarmLater(spec: RunSpec): Promise<void> {
  const clock = makeClock();
  clock.advance(10 * 60_000);
  await runDurableObjectAlarm(runOf(spec));
  clock.reset();
}

describe("the end of a run", () => {
  it("is owed to each webhook that wants it, until the delivery is settled", async () => {
    const spec = makeSpec();
    const wanted = [await addWebhook(spec), await addWebhook(spec, { runId: spec.runId })];
    await addWebhook(spec, { events: ["run.failed"] });
    await addWebhook(spec, { runId: crypto.randomUUID() });
    await addWebhook(spec, { disabledReason: "gone" });
    await addWebhook({ ...spec, projectId: "other" });
    await addWebhook({ ...spec, orgId: "other" });
    await finish(spec);
    await vi.waitFor(async () => {
      const rows = await deliveriesOf(spec);
      expect(rows.map(({ id }) => id)).toEqual(
        wanted.map((id) => `${spec.runId}_3_${id}`).toSorted(),
      );
    }, waitMs);
    expect(await isOwed(spec)).toBe(true);
    await settle(spec, "delivered");
    await alarmLater(spec);
    await vi.waitFor(async () => expect(await isOwed(spec)).toBe(false), waitMs);
  });

  it("is owed to nobody when nobody wants it", async () => {
    const spec = makeSpec();
    await finish(spec);
    await vi.waitFor(async () => expect(await isOwed(spec)).toBe(false), waitMs);
    expect(await deliveriesOf(spec)).toEqual([]);
  });

  it("is told although the registry was away when it came", async () => {
    const spec = makeSpec();
    await addWebhook(spec);
    await env.DB.exec("ALTER TABLE webhook_deliveries RENAME TO webhook_deliveries_away");
    await finish(spec);
    await vi.waitFor(async () => expect(await dueOf(spec)).not.toContain("report"), waitMs);
    expect(await isOwed(spec)).toBe(true);
    await env.DB.exec("ALTER TABLE webhook_deliveries_away RENAME TO webhook_deliveries");
    // Who comes in the meantime was not there when it happened.
    await addWebhook(spec);
    await alarmLater(spec);
    await vi.waitFor(async () => expect(await deliveriesOf(spec)).toHaveLength(1), waitMs);
  });

  it("is owed again when somebody asks for it", async () => {
    const spec = makeSpec();
    await addWebhook(spec);
    await finish(spec);
    await vi.waitFor(async () => expect(await deliveriesOf(spec)).toHaveLength(1), waitMs);
    await settle(spec, "dead");
    await alarmLater(spec);
    await vi.waitFor(async () => expect(await isOwed(spec)).toBe(false), waitMs);
    await settle(spec, "pending");
    await rpcOf(spec).redeliver(3, "run.succeeded");
    expect(await isOwed(spec)).toBe(true);
    await runDurableObjectAlarm(runOf(spec));
    expect(await deliveriesOf(spec)).toHaveLength(1);
  });
});
