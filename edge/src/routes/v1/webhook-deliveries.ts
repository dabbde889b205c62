import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { v1WebhookRoutes } from "@millrace/contracts";
import type { CallerEnv } from "../../edge-env.ts";
import { ok, okPage } from "../../envelope.ts";
import { requireProject } from "../../middleware/require-project.ts";
import { runObject } from "../../objects.ts";
import { problem } from "../../problem.ts";
import { deliveryOf } from "../../projectors/v1/webhooks.ts";
import { findDelivery, listDeliveries, reopenDelivery } from "../../webhooks/deliveries.ts";

/** The delivery log of a project, and what is delivered once more by hand. */
export const webhookDeliveries = new OpenAPIHono<CallerEnv>();

webhookDeliveries.openapi(
  createRoute({ ...v1WebhookRoutes.listWebhookDeliveries, middleware: requireProject }),
  async (c) => {
    const { projectId } = c.req.valid("param");
    const { limit, offset, runId } = c.req.valid("query");
    const place = { orgId: c.var.caller.orgId, projectId, runId };
    const { items, total } = await listDeliveries(c.env.DB, place, { limit, offset });
    const page = { items: items.map(deliveryOf), total, limit, offset };
    return okPage(c, page, runId === undefined ? {} : { runId });
  },
);

webhookDeliveries.openapi(createRoute(v1WebhookRoutes.redeliverWebhook), async (c) => {
  const { projectId, deliveryId } = c.req.valid("param");
  const { orgId } = c.var.caller;
  const place = { orgId, projectId };
  const found = await findDelivery(c.env.DB, place, deliveryId);
  if (found === null) return problem(c, "not_found");
  if (found.isDisabled) {
    const message = "its webhook is disabled or deleted; enable it first";
    return problem(c, "invalid_argument", { message });
  }
  await reopenDelivery(c.env.DB, deliveryId, Date.now());
  // The row first: dying here leaves it pending, and whoever asked has no answer and asks again.
  const { runId, seq, type } = found.delivery;
  await runObject(c.env, orgId, runId).redeliver(seq, type);
  const reopened = await findDelivery(c.env.DB, place, deliveryId);
  return reopened === null ? problem(c, "not_found") : ok(c, deliveryOf(reopened));
});
