import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { limits, providerNames, v1Routes, type v1 } from "@millrace/contracts";
import type { EdgeEnv } from "../../edge-env.ts";
import { ok } from "../../envelope.ts";

const abilities: v1.Capabilities = {
  name: "millrace",
  actions: v1Routes.all.map(({ operationId }) => operationId),
  providers: [...providerNames],
  workspaceBackends: [
    { name: "host", available: true },
    { name: "e2b", available: false },
    { name: "cluster", available: true },
  ],
  constraints: {
    planPhaseReadOnly: true,
    secrets: { readDotEnvDenied: true, envExampleReadable: true },
    promptMaxChars: limits.promptMaxChars,
    requestBodyMaxBytes: limits.requestBodyMaxBytes,
  },
  env: {
    AGENT_API_KEY: "The first API key of the default organisation.",
    AGENT_PROVIDER: "Model provider of runs that name none.",
    AGENT_MODEL: "Model of runs that name none.",
    AUTO_GIT_COMMIT: '"false": do not commit what a run changed.',
    CORS_ORIGINS:
      "Origins of web pages that may call the API, comma-separated; any localhost port when unset.",
    DOH_URL: "DNS over HTTPS by which the hosts of webhooks are resolved.",
    POOL_TOKEN: "What a runner joins the pool with.",
    RUNNER_SLOTS: "How many runs a runner executes at once.",
    WEBHOOK_ALLOW_LOOPBACK:
      '"on": webhooks may be sent to the edge\'s own machine. For development.',
    WEBHOOK_RETRY_SECONDS: "Seconds between the tries of a webhook, by comma.",
    WORKSPACE_ROOT: "Where a runner keeps the workspaces of projects.",
  },
};

export const capabilities = new OpenAPIHono<EdgeEnv>();

capabilities.openapi(createRoute(v1Routes.capabilities), (c) => ok(c, abilities));
capabilities.get("/capabilities", (c) => ok(c, abilities));
