import { type SessionRun, sessionFinalizer } from "@millrace/contracts";
import { type Span, within } from "@millrace/telemetry";
import { settle } from "../edge/edge-answer.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import type { EventRecorder } from "../kube/event-recorder.ts";
import { addFinalizer, removeFinalizer } from "../kube/finalizers.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { childName } from "./child-name.ts";
import { kinds } from "./children.ts";
import type { Facts } from "./facts.ts";
import { makeRunCreate } from "./make-run-create.ts";
import type { Change } from "./plan.ts";
import { isAdopted } from "./pod-facts.ts";
import type { LogKeeper } from "../session-logs/log-keeper.ts";
import { makeClaimPatch } from "./resources/make-claim.ts";
import { makeTokenPatch } from "./resources/make-secret.ts";
import type { Refusal } from "./refusal.ts";
import type { SessionSettings } from "./session-settings.ts";
import { sessionKind } from "./session.ts";
import { actorOf } from "./actor-of.ts";
import { sendMessages } from "./send-messages.ts";
import { adoptPod } from "./adopt-pod.ts";
import { changeSpan, ownTraceparent, wordFor } from "./spans.ts";
import { startAttempt } from "./start-attempt.ts";

export interface ApplyTools {
  readonly api: KubeClient;
  readonly edge: EdgeHttp;
  readonly recorder: EventRecorder;
  readonly settings: SessionSettings;
  readonly logs: Pick<LogKeeper, "keep">;
  readonly sawRun: (run: SessionRun) => void;
  /** The platform has no lease to ask for: what a leader of yesterday decided is not told to it. */
  readonly assertHeld: () => void;
  /** A session could have a warm pod, and has one or not. */
  readonly warmed: (result: "hit" | "miss") => void;
  /** Of the reconcile. */
  readonly span: Span;
}

export interface Outcome {
  /** Of the session, after what was written of it. */
  readonly version?: string;
  readonly run?: SessionRun;
  /** Messages of the spec that need not be sent again. */
  readonly sent?: readonly string[];
  readonly refusal?: Refusal;
}

/** Carries the changes out in order. Throws where another try can help. */
export async function apply(
  facts: Facts,
  changes: readonly Change[],
  tools: ApplyTools,
): Promise<Outcome> {
  let outcome: Outcome = {};
  for (const change of changes) {
    tools.assertHeld();
    const carryOut = () => applyOne(facts, change, tools);
    outcome = { ...outcome, ...(await within(changeSpan(tools.span, change), carryOut, wordFor)) };
    if (outcome.refusal) return outcome;
  }
  return outcome;
}

type Applier<C extends Change> = (
  facts: Facts,
  change: C,
  tools: ApplyTools,
) => Promise<Outcome | void>;

const appliers: { readonly [K in Change["kind"]]: Applier<Extract<Change, { kind: K }>> } = {
  "add-finalizer": async ({ session }, _change, { api }) => {
    const { metadata } = await addFinalizer(api, sessionKind, session, sessionFinalizer);
    return { version: metadata.resourceVersion };
  },
  "remove-finalizer": async ({ session }, _change, { api }) => {
    await removeFinalizer(api, sessionKind, session, sessionFinalizer);
  },
  "create-run": (facts, _change, tools) => createRun(facts, tools),
  "cancel-run": (facts, { runId }, tools) => act("cancel", runId, facts, tools),
  "stop-run": (facts, { runId }, tools) => act("stop", runId, facts, tools),
  "resume-run": (facts, { runId }, tools) => act("resume", runId, facts, tools),
  "send-messages": sendMessages,
  "start-attempt": async (facts, _change, tools) => refused(await startAttempt(facts, tools)),
  "adopt-pod": async (facts, change, tools) => refused(await adoptPod(facts, change, tools)),
  "renew-token": renewToken,
  "delete-pod": async ({ session }, { podName, graceSeconds }, { api }) => {
    const ref = { namespace: session.metadata.namespace, name: podName };
    await api.delete(kinds.pod, ref, { gracePeriodSeconds: graceSeconds });
  },
  "delete-job": async ({ session }, { attempt }, { api }) => {
    const { namespace, name } = session.metadata;
    await api.delete(kinds.job, { namespace, name: childName(name, attempt) });
  },
  "keep-logs": keepLogs,
  "clear-attempt": clearAttempt,
  "revoke-tokens": async (_facts, { runId }, { edge }) => {
    settle(await edge.revokeTokens(runId), "revoke the run's tokens");
  },
  "delete-logs": async (_facts, { runId }, { edge }) => {
    settle(await edge.deleteLogs(runId), "delete the run's logs");
  },
  "own-claim": async ({ session }, { claimName }, { api }) => {
    const ref = { namespace: session.metadata.namespace, name: claimName };
    await api.patch(kinds.claim, ref, makeClaimPatch(session));
  },
  tell: async ({ session }, { type, reason, note }, { recorder }) => {
    recorder.record(session, { type, action: "Delete", reason, note });
  },
};

async function applyOne(facts: Facts, change: Change, tools: ApplyTools): Promise<Outcome> {
  // The table has an applier of each kind; that this one fits its change is beyond the compiler.
  const applier = appliers[change.kind] as Applier<Change>;
  return (await applier(facts, change, tools)) ?? {};
}

const refused = (refusal: Refusal | undefined): Outcome => (refusal ? { refusal } : {});

async function createRun({ session }: Facts, { edge, sawRun }: ApplyTools): Promise<Outcome> {
  const create = makeRunCreate(session);
  if (!create.ok) return refused(invalid(create.message));
  const answer = await edge.createRun(create.value, ownTraceparent(session));
  const run = settle(answer, "create the run");
  if (run) {
    sawRun(run);
    return { run };
  }
  const message = answer.ok ? "" : answer.message;
  return refused(invalid(`The platform refuses the run: ${message}`));
}

const invalid = (message: string): Refusal => ({
  reason: "InvalidSpec",
  message,
  retryable: false,
});

async function act(
  what: "cancel" | "stop" | "resume",
  runId: string,
  { session }: Facts,
  { edge, sawRun }: ApplyTools,
): Promise<Outcome> {
  const run = settle(await edge.act(what, runId, actorOf(session)), `${what} the run`);
  if (!run) return {};
  sawRun(run);
  return { run };
}

async function renewToken(
  facts: Facts,
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  { api, edge }: ApplyTools,
): Promise<void> {
  const fresh = settle(await edge.renewToken(runId, attempt), "renew the run token");
  if (!fresh) return;
  const { namespace, name } = facts.session.metadata;
  const ref = { namespace, name: childName(name, attempt) };
  await api.patch(kinds.secret, ref, makeTokenPatch(fresh.token, fresh.expiresInMs, facts.now));
}

async function keepLogs(
  { session, pod: current }: Facts,
  { runId, attempt, podName }: Extract<Change, { kind: "keep-logs" }>,
  { api, logs }: ApplyTools,
): Promise<void> {
  const ref = { namespace: session.metadata.namespace, name: podName };
  const pod = current?.metadata.name === podName ? current : await api.get(kinds.pod, ref);
  if (pod) await logs.keep({ session, runId, attempt, pod });
}

/** The Job last: as long as it is there, so is its pod, and what was done to its logs can be done again. */
async function clearAttempt(
  { session }: Facts,
  { attempt, podName }: Extract<Change, { kind: "clear-attempt" }>,
  { api }: ApplyTools,
): Promise<void> {
  const { namespace, name } = session.metadata;
  const ref = { namespace, name: childName(name, attempt) };
  const pod =
    podName === undefined ? undefined : await api.get(kinds.pod, { namespace, name: podName });
  if (pod && isAdopted(pod)) await api.delete(kinds.pod, pod.metadata);
  await api.delete(kinds.secret, ref);
  // A Job's pods go with it.
  await api.delete(kinds.job, ref);
}
