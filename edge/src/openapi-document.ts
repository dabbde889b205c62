import { OpenAPIHono } from "@hono/zod-openapi";
import { streamRoutes, subscriptionRoutes, v1Routes, v1WebhookRoutes } from "@millrace/contracts";

const about = {
  openapi: "3.1.0",
  info: {
    title: "Millrace",
    version: "1.0.0",
    description:
      "Durable, replayable runs for AI agents. A prompt starts a run; its events are numbered from 1 without " +
      "a gap and can be followed, replayed and resumed from any number.",
  },
  servers: [{ url: "/" }],
  tags: [
    { name: "about", description: "What this is and whether it works. No key needed." },
    { name: "projects", description: "A project holds runs in order, a conversation and files." },
    { name: "runs", description: "One execution: a plan, then a build." },
    { name: "messages", description: "The conversation of a project." },
    {
      name: "streams",
      description: "The Durable Streams protocol: streams of your own, and every run's log as one.",
    },
    {
      name: "pools",
      description: "Who executes runs: runners, and clusters with their operators.",
    },
    { name: "webhooks", description: "Who is told of the ends of runs, and how that went." },
  ],
};

const securitySchemes = {
  apiKey: {
    type: "apiKey",
    in: "header",
    name: "X-Agent-Api-Key",
    description: "Wins over `Authorization` when both are sent.",
  },
  bearer: { type: "http", scheme: "bearer", description: "The same API key as a bearer token." },
  wakeToken: {
    type: "http",
    scheme: "bearer",
    description: "The token of a subscription's wake, from the wake or the claim.",
  },
} as const;

/** The OpenAPI 3.1 document of the routes. */
export function openApiDocument() {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono();
  for (const route of v1Routes.all) openAPIRegistry.registerPath(route);
  for (const route of streamRoutes.all) openAPIRegistry.registerPath(route);
  for (const route of subscriptionRoutes.all) openAPIRegistry.registerPath(route);
  openAPIRegistry.registerWebhook(v1WebhookRoutes.runEvent);
  openAPIRegistry.registerWebhook(subscriptionRoutes.wake);
  for (const [name, scheme] of Object.entries(securitySchemes)) {
    openAPIRegistry.registerComponent("securitySchemes", name, scheme);
  }
  return getOpenAPI31Document(about);
}
