import { Hono } from "hono";
import type { AttemptEnv } from "../../edge-env.ts";
import { requireRunToken } from "../../middleware/require-run-token.ts";
import { runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";

/** The files that a run starts from, for a runner that does not hold them. */
export const workspace = new Hono<AttemptEnv>();

workspace.get("/runs/:runId/workspace", requireRunToken, async (c) => {
  const { orgId, runId, attempt } = c.var.attempt;
  const key = await runObject(c.env, orgId, runId).startBundle(attempt);
  if (key === null) return problem(c, "not_found", { message: "this run starts from nothing" });
  const bundle = await c.env.ARCHIVES.get(key);
  if (bundle === null) return problem(c, "not_found", { message: "the bundle is gone" });
  return c.body(bundle.body, 200, {
    "content-type": "application/x-git-bundle",
    "content-length": String(bundle.size),
  });
});
