import { DeliveryError, type v1Webhooks } from "@millrace/contracts";
import type { Attempt, LoggedDelivery } from "../../webhooks/deliveries.ts";
import type { Endpoint } from "../../webhooks/endpoints.ts";
import { isoOrNull, isoTime } from "./run-summary.ts";

export function webhookOf(endpoint: Endpoint): v1Webhooks.Webhook {
  const { id, projectId, url, events, disabledReason, createdAt, updatedAt } = endpoint;
  return {
    id,
    projectId,
    url,
    events: [...events],
    disabled: disabledReason !== null,
    disabledReason,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
  };
}

export function deliveryOf(logged: LoggedDelivery): v1Webhooks.WebhookDelivery {
  const { id, webhookId, runId, seq, type, status, createdAt, settledAt, nextAt } = logged.delivery;
  return {
    id,
    webhookId,
    url: logged.url,
    runId,
    seq,
    type,
    status,
    createdAt: isoTime(createdAt),
    settledAt: isoOrNull(settledAt),
    nextAttemptAt: status === "pending" ? isoTime(nextAt) : null,
    attempts: logged.attempts.map(attemptOf),
  };
}

function attemptOf(attempt: Attempt): v1Webhooks.DeliveryAttempt {
  const { at, ok, statusCode, durationMs, error, nextAt } = attempt;
  return {
    at: isoTime(at),
    ok,
    statusCode,
    durationMs,
    error: error === null ? null : DeliveryError.parse(error),
    nextAttemptAt: isoOrNull(nextAt),
  };
}
