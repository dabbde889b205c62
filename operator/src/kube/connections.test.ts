import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { defineKind } from "./kind.ts";
import { KubeClient } from "./kube-client.ts";

const configMaps = defineKind("v1", "ConfigMap", "configmaps");

describe("connections to the API server", () => {
  it("stay open between requests, also of a client that was narrowed", async () => {
    let connections = 0;
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ metadata: { name: "one" } }));
    });
    server.on("connection", () => (connections += 1));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const config = new KubeConfig();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cluster = { name: "test", server: url, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: "nobody" });
    const api = new KubeClient(config, { fieldManager: "test" });
    const bound = api.with({ guard: () => undefined });
    for (let i = 0; i < 20; i += 1) {
      const client = i % 2 === 0 ? api : bound;
      await client.get(configMaps, { namespace: "default", name: "one" });
    }
    // A connection is free again a moment after its answer was read, so it may be two.
    expect(connections).toBeLessThan(10);
  });
});
