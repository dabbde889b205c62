import { expect, it, onTestFinished } from "vitest";
import { ProbeServer, type ProbeAnswers } from "./probe-server.ts";

async function open(answers: Partial<ProbeAnswers> = {}) {
  const server = new ProbeServer({
    sick: () => undefined,
    missing: () => [],
    metrics: async () => ({ contentType: "text/x", text: "some 1\n" }),
    ...answers,
  });
  const port = await server.listen("127.0.0.1", 0);
  onTestFinished(() => server.close());
  return async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [response.status, await response.text(), response.headers.get("content-type")];
  };
}

it("says that all is well", async () => {
  const get = await open();
  expect(await get("/healthz")).toEqual([200, "ok\n", "text/plain"]);
  expect(await get("/readyz?verbose")).toEqual([200, "ok\n", "text/plain"]);
  expect(await get("/metrics")).toEqual([200, "some 1\n", "text/x"]);
});

it("says what is missing", async () => {
  const get = await open({ missing: () => ["one", "two"], sick: () => "stuck" });
  expect(await get("/readyz")).toEqual([503, "one\ntwo\n", "text/plain"]);
  expect(await get("/healthz")).toEqual([503, "stuck\n", "text/plain"]);
});

it("has nothing else, and takes nothing", async () => {
  const get = await open({ metrics: () => Promise.reject(new Error("secret")) });
  expect((await get("/"))[0]).toBe(404);
  expect((await get("/healthz", "POST"))[0]).toBe(405);
  expect(await get("/metrics")).toEqual([500, "no metrics\n", "text/plain"]);
});
