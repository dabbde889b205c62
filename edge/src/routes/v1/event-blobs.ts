import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { eventBlobKey } from "../../runner-keys.ts";
import { answerStored } from "../../stored-file.ts";

export const eventBlobs = new OpenAPIHono<CallerEnv>();

eventBlobs.openapi(createRoute(v1Routes.getEventBlob), async (c) => {
  const { projectId, runId, sha256 } = c.req.valid("param");
  const { orgId } = c.var.caller;
  if ((await threadObject(c.env, orgId, projectId).run(runId)) === null) {
    return problem(c, "not_found");
  }
  return answerStored(c, eventBlobKey({ orgId, runId }, sha256), {
    // Its name is its content's: whoever has it never needs to ask again.
    "cache-control": "private, max-age=31536000, immutable",
    "content-type": "application/json",
  });
});
