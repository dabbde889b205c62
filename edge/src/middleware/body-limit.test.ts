import { Hono } from "hono";
import { expect, it } from "vitest";
import type { EdgeEnv } from "../edge-env.ts";
import { bodyLimit } from "./body-limit.ts";

const app = new Hono<EdgeEnv>();
app.use(bodyLimit(10));
app.all("/", async (c) => c.text(await c.req.text()));

const chunked = (text: string) => ({
  method: "POST",
  body: new Blob([text]).stream(),
  duplex: "half",
});

it.each(["", "1234567890"])("lets %j through, with and without a length", async (body) => {
  const headers = { "content-length": String(body.length) };
  expect(await (await app.request("/", { method: "POST", body, headers })).text()).toBe(body);
  expect(await (await app.request("/", chunked(body))).text()).toBe(body);
});

it("refuses more, with and without a length", async () => {
  const body = "12345678901";
  const headers = { "content-length": String(body.length) };
  expect((await app.request("/", { method: "POST", body, headers })).status).toBe(413);
  expect((await app.request("/", chunked(body))).status).toBe(413);
});

it("does not ask a GET for a body", async () => {
  expect((await app.request("/")).status).toBe(200);
});
