import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes, type JsonValue, type v1 } from "@millrace/contracts";
import type { ThreadMessage } from "@millrace/durable-objects";
import type { CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { threadObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { runCreated } from "../../projectors/v1/run-created.ts";
import { isoTime } from "../../projectors/v1/run-summary.ts";
import { acceptRun } from "./accept-run.ts";
import { answerWithEvents } from "./event-stream.ts";

export const messages = new OpenAPIHono<CallerEnv>();

messages.openapi(createRoute({ ...v1Routes.createMessage, middleware: jsonBody }), async (c) => {
  const { projectId } = c.req.valid("param");
  const { content, ...options } = c.req.valid("json");
  const accepted = await acceptRun(c, projectId, { kind: "message", text: content, ...options });
  if (!accepted.ok) return accepted.response;
  const { run, created } = accepted;
  if (options.stream === true) {
    return answerWithEvents(c, { projectId, runId: run.runId }, c.req.valid("header"));
  }
  const { prompt, createdAt } = run.view.spec;
  const message = { role: "user", content: prompt, createdAt: isoTime(createdAt) } as const;
  return ok(c, { run: runCreated(run, created), message });
});

messages.openapi(createRoute(v1Routes.listMessages), async (c) => {
  const { projectId, runId } = c.req.valid("param");
  const { limit, offset } = c.req.valid("query");
  const thread = threadObject(c.env, c.var.caller.orgId, projectId);
  const found = await thread.messages(runId, limit, offset);
  if (found === null) return problem(c, "not_found");
  const items = found.items.map((message) => toV1(projectId, message));
  return okPage(c, { items, total: found.total, limit, offset });
});

function toV1(projectId: string, message: ThreadMessage): v1.Message {
  const { id, runId, role, content, input, createdAt } = message;
  return {
    id,
    projectId,
    runId,
    role,
    content,
    input: (input ?? null) as JsonValue,
    createdAt: isoTime(createdAt),
  };
}
