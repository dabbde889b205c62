import {
  type AgenticSessionStatus,
  type SessionReport,
  type SessionStart,
  traceparentOf,
} from "@millrace/contracts";
import type { Attributes, Span, Tracer } from "@millrace/telemetry";
import type { Requeue } from "../kube/controller.ts";
import { ApiError } from "../kube/api-error.ts";
import type { Facts } from "./facts.ts";
import { conditionOf, runnerSince } from "./pod-facts.ts";
import { annotations } from "./resources/annotations.ts";
import { edgeRunLabel } from "./resources/make-edge-session.ts";
import { runIdOf } from "./run-id.ts";
import type { Change } from "./plan.ts";
import type { Session } from "./session.ts";

/**
 * The trace that a session's run has, or will have: of one that somebody made in the cluster it is made of the object's
 * uid, so that what happens before there is a run belongs to it too. Null: a run of the edge that is not known yet.
 */
export function traceparentOfSession({
  session,
  run,
  secret,
}: Pick<Facts, "session" | "run" | "secret">): string | null {
  const told = run?.traceparent ?? secret?.metadata.annotations?.[annotations.traceparent];
  if (told !== undefined && told !== null) return told;
  return session.metadata.labels?.[edgeRunLabel] === undefined ? ownTraceparent(session) : null;
}

export const ownTraceparent = ({ metadata: { uid } }: Session): string =>
  traceparentOf(uid, undefined);

/** Not ended when there was nothing to do: a span that never ends is never exported. */
export function reconcileSpan(tracer: Tracer, facts: Facts): Span {
  return tracer.span("reconcile", traceparentOfSession(facts), {
    at: facts.now,
    attributes: namesOf(facts),
  });
}

export function endReconcile(span: Span, status: AgenticSessionStatus, requeue: Requeue): void {
  span.set({
    "millrace.session.phase": status.phase,
    "millrace.session.reason": status.reason,
    "millrace.reconcile.result": requeue.kind,
  });
  span.end();
}

export const changeSpan = (parent: Span, { kind }: Change): Span => parent.child(kind);

/** From the first time that it is sent until the platform has confirmed it. */
export function reportSpan(parent: Span, { kind, reason, attempt }: SessionReport): Span {
  return parent.child("report", {
    kind: "client",
    attributes: {
      "millrace.report.kind": kind,
      "millrace.report.reason": reason,
      "millrace.attempt": attempt,
    },
  });
}

export function commandSpan(tracer: Tracer, { type, runId, attempt, spec }: SessionStart): Span {
  return tracer.span(type, spec.traceparent, {
    attributes: { "millrace.run.id": runId, "millrace.attempt": attempt },
  });
}

/**
 * Of an attempt whose runner has connected, or that has failed before: from when the platform asked for it, with what
 * came in between. Kubernetes tells times in whole seconds.
 */
export function traceStart(tracer: Tracer, facts: Facts, status: AgenticSessionStatus): void {
  const { now, secret, session } = facts;
  const failure = startFailure(facts, status);
  if (failure === undefined && !hasConnected(facts, status)) return;
  const asked = secret?.metadata.creationTimestamp ?? session.metadata.creationTimestamp;
  const span = tracer.span("start attempt", traceparentOfSession(facts), {
    at: Math.min(Date.parse(asked), now),
    attributes: { ...namesOf(facts), "millrace.warm": facts.warmPod !== undefined },
  });
  for (const [name, at] of milestones(facts)) {
    if (at !== undefined) span.event(name, Date.parse(at));
  }
  span.end({ at: now, ...(failure !== undefined && { error: failure }) });
}

function milestones({ job, pod }: Facts): readonly (readonly [string, string | undefined])[] {
  const scheduled = conditionOf(pod, "PodScheduled");
  return [
    ["job created", job?.metadata.creationTimestamp],
    ["pod created", pod?.metadata.creationTimestamp],
    ["pod scheduled", scheduled?.status === "True" ? scheduled.lastTransitionTime : undefined],
    ["runner started", runnerSince(pod)],
  ];
}

const isConnected = (status: AgenticSessionStatus | undefined): boolean =>
  status?.conditions?.some((one) => one.type === "RunnerConnected" && one.status === "True") ??
  false;

function hasConnected({ session: { status: before } }: Facts, status: AgenticSessionStatus) {
  return isConnected(status) && (!isConnected(before) || before?.attempt !== status.attempt);
}

/** The reason of a start that is reported as failed for the first time. */
function startFailure({ session, attempt }: Facts, status: AgenticSessionStatus) {
  const key = `${session.metadata.uid}/${attempt}/start_failed`;
  const known = session.status?.reports?.some((one) => one.key === key) ?? false;
  return !known && status.reports?.some((one) => one.key === key)
    ? (status.reason ?? "start_failed")
    : undefined;
}

/** From the wish to its end. */
export function traceDeletion(tracer: Tracer, facts: Facts): void {
  const { deletionTimestamp } = facts.session.metadata;
  if (deletionTimestamp === undefined) return;
  const at = Math.min(Date.parse(deletionTimestamp), facts.now);
  const attributes = namesOf(facts);
  tracer.span("delete session", traceparentOfSession(facts), { at, attributes }).end();
}

function namesOf(facts: Facts): Attributes {
  const { namespace, name, uid } = facts.session.metadata;
  return {
    "k8s.namespace.name": namespace,
    "millrace.session.name": name,
    "millrace.session.uid": uid,
    "millrace.run.id": runIdOf(facts),
    "millrace.attempt": facts.attempt,
  };
}

/** The stable word for how a reconcile failed. */
export function wordFor(error: unknown): string {
  if (error instanceof ApiError) return error.reason;
  return error instanceof Error ? error.name : "unknown";
}
