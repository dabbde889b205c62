import { runnerPaths } from "@millrace/contracts";
import { expect, it } from "vitest";
import { apiKey, ask } from "../testing/api.ts";

const knock = async (authorization?: string, pool = "default") => {
  const headers = {
    upgrade: "websocket",
    ...(authorization === undefined ? {} : { authorization }),
  };
  const response = await ask(runnerPaths.poolSocket(pool), { headers, key: null });
  response.webSocket?.accept();
  response.webSocket?.close();
  await response.body?.cancel();
  return response.status;
};

it("lets a runner in that holds it", async () => {
  expect(await knock("Bearer test-pool-token")).toBe(101);
  expect(await knock("bearer test-pool-token")).toBe(101);
});

it.each([undefined, "", "Bearer", "Bearer wrong", "test-pool-token", `Bearer ${apiKey}`])(
  "keeps out %j",
  async (authorization) => {
    expect(await knock(authorization)).toBe(401);
  },
);

it("opens no other pool", async () => {
  expect(await knock("Bearer test-pool-token", "other")).toBe(404);
});
