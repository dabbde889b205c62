import { Hono } from "hono";
import { expect, it } from "vitest";
import type { EdgeEnv } from "../edge-env.ts";
import { jsonBody } from "./json-body.ts";

const app = new Hono<EdgeEnv>();
app.use(jsonBody);
app.post("/", async (c) =>
  c.json({ type: c.req.header("content-type"), body: await c.req.json() }),
);

it.each(["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"])(
  "takes %s for JSON",
  async (type) => {
    const headers = { "content-type": type };
    const response = await app.request("/", { method: "POST", body: '{"a":[1]}', headers });
    expect(await response.json()).toEqual({ type: "application/json", body: { a: [1] } });
  },
);

it.each(["", "{", "{'a':1}", "undefined", "a=b"])("refuses %j", async (body) => {
  const response = await app.request("/", { method: "POST", body });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: "invalid_json" });
});
