import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { answerWithEvents } from "./event-stream.ts";

export const stream = new OpenAPIHono<CallerEnv>();

stream.openapi(createRoute(v1Routes.streamRun), (c) =>
  answerWithEvents(c, c.req.valid("param"), { ...c.req.valid("query"), ...c.req.valid("header") }),
);
