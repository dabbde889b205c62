import { existsSync } from "node:fs";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const d1Migrations = "migrations/d1";

/** Pure code and the runner, in Node. */
const unit = {
  test: {
    name: "unit",
    include: [
      "{contracts,migrations,telemetry,durable-objects,edge,runner-cluster,operator}/src/**/*.test.ts",
      "bench/peers/*.test.ts",
    ],
    exclude: ["**/*.workers.test.ts"],
    testTimeout: 30_000,
  },
};

/** Objects and edge, inside workerd with the bindings of wrangler.toml. Storage is isolated per file. */
const workers = {
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          TEST_MIGRATIONS: existsSync(d1Migrations) ? await readD1Migrations(d1Migrations) : [],
          RUN_TOKEN_SECRET: "test-run-token-secret",
          SEALING_KEY: "test-sealing-key",
          POOL_TOKEN: "test-pool-token",
          AGENT_API_KEY: "test-api-key",
        },
      },
    })),
  ],
  test: {
    name: "workers",
    include: ["{durable-objects,edge}/src/**/*.workers.test.ts"],
    setupFiles: ["./durable-objects/src/testing/apply-d1-migrations.ts"],
    testTimeout: 30_000,
  },
};

/** The whole system: real processes, entered by HTTP only. They share two cores, so one file at a time. */
const system = {
  test: {
    name: "system",
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/cluster/**"],
    globalSetup: existsSync("tests/support/build-worker.ts")
      ? ["./tests/support/build-worker.ts"]
      : [],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
};

/** Against a real Kubernetes API server: tests/cluster/README.md. A control plane takes half a gigabyte. */
const cluster = {
  test: {
    name: "cluster",
    include: ["tests/cluster/**/*.test.ts"],
    exclude: ["tests/cluster/node/**"],
    globalSetup: ["./tests/cluster/support/build-binaries.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
};

/** The same with a node that really runs pods. Root on Linux; `npm test` leaves it out. */
const node = {
  test: {
    name: "node",
    include: ["tests/cluster/node/**/*.test.ts"],
    globalSetup: ["./tests/cluster/support/build-node.ts", "./tests/support/build-worker.ts"],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
};

export default defineConfig({ test: { projects: [unit, workers, system, cluster, node] } });
