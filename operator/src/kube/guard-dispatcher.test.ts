import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { defineKind } from "./kind.ts";
import { KubeClient } from "./kube-client.ts";

const configMaps = defineKind("v1", "ConfigMap", "configmaps");

/** An API server that notes what arrives, and a client whose lease runs out at the `n`th look at it. */
async function start(n: number) {
  const arrived: string[] = [];
  const server = createServer((request, response) => {
    arrived.push(request.method ?? "");
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ metadata: { name: "one" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const config = new KubeConfig();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: "test", server: url, skipTLSVerify: true }, { name: "me" });
  let looks = 0;
  const guard = (): void => {
    looks += 1;
    if (looks >= n) throw new Error("the lease ran out");
  };
  const api = new KubeClient(config, { fieldManager: "test" });
  return { arrived, api, bound: api.with({ guard }) };
}

const write = (client: KubeClient) =>
  client.create(configMaps, { metadata: { name: "one", namespace: "default" } });

describe("a guarded request", () => {
  it("leaves while the lease is held", async () => {
    const { arrived, bound } = await start(Infinity);
    await write(bound);
    expect(arrived).toEqual(["POST"]);
  });

  it("is not begun once the lease has run out", async () => {
    const { arrived, bound } = await start(1);
    await expect(write(bound)).rejects.toThrow("the lease ran out");
    expect(arrived).toEqual([]);
  });

  it("does not leave when the process was frozen between the decision and the connection", async () => {
    const { arrived, bound } = await start(2);
    await expect(write(bound)).rejects.toThrow("the lease ran out");
    expect(arrived).toEqual([]);
  });

  it("does not leave over a connection that was there already, either", async () => {
    const { arrived, api, bound } = await start(2);
    await write(api);
    await expect(write(bound)).rejects.toThrow("the lease ran out");
    expect(arrived).toEqual(["POST"]);
  });
});
