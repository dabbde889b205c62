import { runSocketPaths } from "@millrace/durable-objects";
import { Hono } from "hono";
import type { AttemptEnv } from "../../edge-env.ts";
import { requireRunToken } from "../../middleware/require-run-token.ts";
import { requireUpgrade } from "../../middleware/require-upgrade.ts";
import { runObject } from "../../objects.ts";

export const runSocket = new Hono<AttemptEnv>();

runSocket.get("/runs/:runId/socket", requireRunToken, requireUpgrade, async (c) => {
  const { orgId, runId, attempt } = c.var.attempt;
  const url = new URL(runSocketPaths.attach, "https://run");
  url.searchParams.set("org", orgId);
  url.searchParams.set("run", runId);
  url.searchParams.set("attempt", String(attempt));
  return runObject(c.env, orgId, runId).fetch(url.href, { headers: { upgrade: "websocket" } });
});
