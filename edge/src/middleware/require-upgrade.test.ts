import { Hono } from "hono";
import { expect, it } from "vitest";
import type { EdgeEnv } from "../edge-env.ts";
import { requireUpgrade } from "./require-upgrade.ts";

const app = new Hono<EdgeEnv>();
app.get("/", requireUpgrade, (c) => c.text("shaken"));

it.each([
  [{ upgrade: "websocket" }, 200],
  [{ upgrade: "WebSocket" }, 200],
  [{ upgrade: "h2c" }, 400],
  [{}, 400],
])("%o answers %s", async (headers, status) => {
  expect((await app.request("/", { headers })).status).toBe(status);
});
