import { ErrorCode, statusOfError, v1 } from "@millrace/contracts";
import { Hono } from "hono";
import { expect, it } from "vitest";
import { z } from "zod";
import { answerNotFound, problem, refuseInvalid } from "./problem.ts";

const app = new Hono();
app.notFound(answerNotFound);
app.get("/code/:code", (c) =>
  problem(c, ErrorCode.parse(c.req.param("code")), { retryAfterSeconds: 2 }),
);
app.get("/invalid/:value", (c) => {
  const target = c.req.query("target") ?? "json";
  const schema = z.object({ runId: z.uuid() });
  const value: unknown = JSON.parse(c.req.param("value"));
  return refuseInvalid({ target, ...schema.safeParse(value) }, c) ?? c.text("valid");
});

const body = async (response: Response) => v1.Problem.parse(await response.json());

it.each(ErrorCode.options)("%s has one status and one shape", async (code) => {
  const response = await app.request(`/code/${code}`);
  expect(response.status).toBe(statusOfError[code]);
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("retry-after")).toBe("2");
  const { error, message } = await body(response);
  expect(await body(await app.request(`/code/${code}`))).toMatchObject({ code });
  expect(error).toEqual({ code, message });
});

it("answers an unknown path in the same shape", async () => {
  const response = await app.request("/nowhere", { method: "DELETE" });
  expect(response.status).toBe(404);
  expect((await body(response)).message).toBe("no such endpoint: DELETE /nowhere");
});

it.each([
  ["null", "body"],
  ["[]", "body"],
  ["{}", "runId"],
  ['{"runId":7}', "runId"],
])("names the field that is wrong in %s", async (value, field) => {
  const response = await app.request(`/invalid/${encodeURIComponent(value)}`);
  expect(response.status).toBe(400);
  expect((await body(response)).error).toMatchObject({
    code: "invalid_argument",
    details: { field },
    message: expect.stringContaining(`${field}: `) as unknown,
  });
});

it("finds no run for an id that is none", async () => {
  const path = `/invalid/${encodeURIComponent('{"runId":"x"}')}?target=param`;
  expect((await app.request(path)).status).toBe(404);
});
