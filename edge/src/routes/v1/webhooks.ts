import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { limits, v1WebhookRoutes } from "@millrace/contracts";
import type { Context } from "hono";
import type { CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { jsonBody } from "../../middleware/json-body.ts";
import { requireProject } from "../../middleware/require-project.ts";
import { problem } from "../../problem.ts";
import { isoOrNull } from "../../projectors/v1/run-summary.ts";
import { webhookOf } from "../../projectors/v1/webhooks.ts";
import {
  createEndpoint,
  deleteEndpoint,
  findEndpoint,
  listEndpoints,
  updateEndpoint,
  type Place,
} from "../../webhooks/endpoints.ts";
import { refuseUrl } from "../../webhooks/refuse-url.ts";
import { rotateSecret, runSecretOf } from "../../webhooks/secrets.ts";

/** A project's webhooks and their secrets. */
export const webhooks = new OpenAPIHono<CallerEnv>();

const withBody = [jsonBody, requireProject];

webhooks.openapi(
  createRoute({ ...v1WebhookRoutes.createWebhook, middleware: withBody }),
  async (c) => {
    const target = c.req.valid("json");
    const refused = refuseUrl(c, "url", target.url);
    if (refused !== null) return refused;
    const created = await createEndpoint(c.env, placeOf(c, c.req.valid("param")), target, now());
    if (created === null) {
      const message = `a project has at most ${limits.webhooksPerProject} webhooks`;
      return problem(c, "invalid_argument", { message });
    }
    return ok(c, { ...webhookOf(created.endpoint), secret: created.secret });
  },
);

webhooks.openapi(
  createRoute({ ...v1WebhookRoutes.listWebhooks, middleware: requireProject }),
  async (c) => {
    const { limit, offset } = c.req.valid("query");
    const place = placeOf(c, c.req.valid("param"));
    const { items, total } = await listEndpoints(c.env.DB, place, { limit, offset });
    return okPage(c, { items: items.map(webhookOf), total, limit, offset });
  },
);

webhooks.openapi(
  createRoute({ ...v1WebhookRoutes.rotateRunWebhookSecret, middleware: requireProject }),
  async (c) => {
    const owner = runSecretOf(placeOf(c, c.req.valid("param")));
    return ok(c, secretOf(await rotateSecret(c.env, owner, now())));
  },
);

webhooks.openapi(createRoute(v1WebhookRoutes.getWebhook), async (c) => {
  const params = c.req.valid("param");
  const found = await findEndpoint(c.env.DB, placeOf(c, params), params.webhookId);
  return found === null ? problem(c, "not_found") : ok(c, webhookOf(found));
});

webhooks.openapi(
  createRoute({ ...v1WebhookRoutes.updateWebhook, middleware: jsonBody }),
  async (c) => {
    const params = c.req.valid("param");
    const change = c.req.valid("json");
    const refused = change.url === undefined ? null : refuseUrl(c, "url", change.url);
    if (refused !== null) return refused;
    const endpoint = { ...placeOf(c, params), id: params.webhookId };
    const updated = await updateEndpoint(c.env.DB, endpoint, change, now());
    return updated === null ? problem(c, "not_found") : ok(c, webhookOf(updated));
  },
);

webhooks.openapi(createRoute(v1WebhookRoutes.deleteWebhook), async (c) => {
  const params = c.req.valid("param");
  const deleted = await deleteEndpoint(c.env.DB, placeOf(c, params), params.webhookId);
  if (!deleted) return problem(c, "not_found");
  return ok(c, { id: params.webhookId, deleted: true as const });
});

webhooks.openapi(createRoute(v1WebhookRoutes.rotateWebhookSecret), async (c) => {
  const params = c.req.valid("param");
  const place = placeOf(c, params);
  const found = await findEndpoint(c.env.DB, place, params.webhookId);
  if (found === null) return problem(c, "not_found");
  const owner = { ...place, webhookId: params.webhookId };
  return ok(c, secretOf(await rotateSecret(c.env, owner, now())));
});

const now = (): number => Date.now();

function placeOf(c: Context<CallerEnv>, params: { readonly projectId: string }): Place {
  return { orgId: c.var.caller.orgId, projectId: params.projectId };
}

function secretOf(rotated: { readonly secret: string; readonly previousUntil: number | null }) {
  return { secret: rotated.secret, previousValidUntil: isoOrNull(rotated.previousUntil) };
}
