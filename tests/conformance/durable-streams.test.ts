import { runConformanceTests } from "@durable-streams/server-conformance-tests";
import { beforeAll } from "vitest";
import { startKeyProxy } from "../support/key-proxy.ts";
import { startPlatform } from "../support/platform.ts";

// The published suite of the protocol, against the real worker.
const suite = { baseUrl: "", longPollTimeoutMs: 1_000, subscriptions: true };

beforeAll(async () => {
  const platform = await startPlatform({
    vars: {
      LONG_POLL_MS: String(suite.longPollTimeoutMs),
      CORS_ORIGINS: "*",
      WEBHOOK_ALLOW_LOOPBACK: "on",
    },
  });
  suite.baseUrl = await startKeyProxy(platform.url, platform.apiKey);
});

runConformanceTests(suite);
