import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import { archiveStanding } from "../../archive-standing.ts";
import type { CallerEnv } from "../../edge-env.ts";
import { runObject, threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { answerStored } from "../../stored-file.ts";

export const download = new OpenAPIHono<CallerEnv>();

const retryAfterSeconds = 2;

download.openapi(createRoute(v1Routes.downloadRun), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const [place, now] = await Promise.all([
    threadObject(c.env, orgId, projectId).run(runId),
    runObject(c.env, orgId, runId).view(),
  ]);
  if (place === null) return problem(c, "not_found");
  const standing = archiveStanding(now.ok ? now.view : place.view, Date.now());
  switch (standing.kind) {
    case "pending":
      return problem(c, "unavailable", {
        message: "the workspace of this run is not stored yet",
        retryAfterSeconds,
      });
    case "never":
      return problem(c, "not_found", { message: "this run left no workspace" });
    case "stored":
      return answerStored(c, standing.archive.key, {
        "cache-control": "private, no-store",
        "content-type": "application/zip",
        "content-disposition": `attachment; filename="run-${runId}-workspace.zip"`,
      });
  }
});
