import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1Routes, type v1 } from "@millrace/contracts";
import type { EdgeEnv } from "../../edge-env.ts";
import { ok } from "../../envelope.ts";

const endpoints = v1Routes.all.map(({ method, path }) => `${method.toUpperCase()} ${path}`);

const about: v1.Root = {
  name: "millrace",
  status: "ok",
  version: "v1",
  docs: ["/docs", "/openapi.json"],
  endpoints,
};

export const root = new OpenAPIHono<EdgeEnv>();

root.openapi(createRoute(v1Routes.root), (c) => ok(c, about));
root.get("/", (c) => ok(c, about));
