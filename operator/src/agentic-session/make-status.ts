import {
  type AgenticSessionStatus,
  type SessionConditionType,
  type SessionPhase,
  isOver,
} from "@millrace/contracts";
import { type Condition, setCondition } from "../kube/conditions.ts";
import { type Facts, isConnected } from "./facts.ts";
import { conditionOf } from "./pod-facts.ts";
import { judgeRetained } from "./retained.ts";
import { runIdOf } from "./run-id.ts";

export interface Told {
  readonly phase: SessionPhase;
  readonly reason: string;
  readonly message: string;
}

type Judged = {
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
};

/** A start of the attempt, and the warm pod that it was. */
interface Begun {
  readonly begun?: { readonly warmPod: string | undefined };
}

/** The whole status, from what is known now and what stood there before. */
export function makeStatus(
  facts: Facts,
  told: Told,
  more: Pick<AgenticSessionStatus, "attempt" | "endedAttempt" | "reports"> & Begun = {},
): AgenticSessionStatus {
  const { session } = facts;
  const before = session.status ?? {};
  const reports = joinReports(facts, more.reports ?? []);
  const { reports: _, ...rest } = before;
  return withoutUndefined({
    ...rest,
    observedGeneration: session.metadata.generation ?? 1,
    ...told,
    message: told.message.slice(0, 32_768),
    runId: runIdOf(facts),
    model: modelOf(facts),
    attempt: more.attempt ?? before.attempt,
    endedAttempt: more.endedAttempt ?? before.endedAttempt,
    ...podFields(facts, more.begun),
    ...runFields(facts),
    restartToken: actedOnToken(facts),
    sentMessages: sentOf(session),
    ...(reports.length > 0 && { reports }),
    conditions: makeConditions(facts, told),
  });
}

function joinReports(
  { session, acked }: Facts,
  more: NonNullable<AgenticSessionStatus["reports"]>,
): NonNullable<AgenticSessionStatus["reports"]> {
  const kept = (session.status?.reports ?? []).filter(({ key }) => !acked.has(key));
  const known = new Set(kept.map(({ key }) => key));
  return [...kept, ...more.filter(({ key }) => !known.has(key) && !acked.has(key))].slice(-32);
}

/** A pod's name stays after it has gone: it says whose deletion is to be noticed. */
function podFields(
  { pod, session, attempt }: Facts,
  begun: Begun["begun"],
): AgenticSessionStatus | { readonly podName: undefined } {
  const warm = begun && { warmPod: begun.warmPod, podName: begun.warmPod };
  if (pod) {
    return { ...warm, podName: pod.metadata.name, nodeName: pod.spec?.nodeName };
  }
  if (warm) return { ...warm, nodeName: undefined };
  return session.status?.attempt === attempt ? {} : { podName: undefined, nodeName: undefined };
}

function runFields({ run }: Facts): AgenticSessionStatus {
  if (!run) return {};
  const { usage } = run;
  return {
    url: run.url,
    startTime: timeOf(run.startedAt),
    completionTime: isOver(run.status) ? timeOf(run.completedAt) : undefined,
    lastActivityTime: timeOf(run.updatedAt),
    ...(usage && {
      usage: withoutUndefined({
        inputTokens: usage.inputTokens ?? undefined,
        outputTokens: usage.outputTokens ?? undefined,
        totalTokens: usage.totalTokens ?? undefined,
      }),
    }),
  };
}

/** What the spec no longer names needs not be remembered: the platform knows it. */
function sentOf({ spec, status }: Facts["session"]): string[] | undefined {
  const named = new Set(spec.messages?.map(({ id }) => id));
  const kept = status?.sentMessages?.filter((id) => named.has(id)) ?? [];
  return kept.length === 0 ? undefined : kept;
}

function modelOf({ run, session }: Facts): string | undefined {
  const used = run?.model?.slice(0, 200) ?? session.status?.model;
  return used ?? session.spec.model?.name;
}

/** A restart is acted on when the run has paused for it, or has not begun. */
function actedOnToken({ session, run }: Facts): string | undefined {
  const { restartToken } = session.spec;
  const isAtRest = session.status?.runId === undefined || run?.status === "waiting";
  return isAtRest ? restartToken : session.status?.restartToken;
}

function makeConditions(facts: Facts, told: Told): Condition[] {
  const judged: readonly (readonly [SessionConditionType, Judged | undefined])[] = [
    ["SecretsReady", secretsReady(facts)],
    ["VolumeReady", volumeReady(facts)],
    ["PodScheduled", podScheduled(facts)],
    ["RunnerConnected", runnerConnected(facts)],
    ["Retained", judgeRetained(facts)],
    ["Ready", ready(told)],
  ];
  let conditions = (facts.session.status?.conditions ?? []) as readonly Condition[];
  for (const [type, one] of judged) {
    if (one) conditions = setCondition(conditions, { type, ...one }, new Date(facts.now));
  }
  return [...conditions];
}

function secretsReady({ secretProblem }: Facts): Judged {
  if (secretProblem === undefined) return yes("Found", "Every named Secret is there");
  return no("SecretMissing", secretProblem);
}

function volumeReady({ session, claim }: Facts): Judged | undefined {
  if (session.spec.storage.mode === "ephemeral") return yes("Ephemeral", "Comes with the pod");
  if (!claim) return undefined;
  return claim.status?.phase === "Bound"
    ? yes("Bound", "The volume is bound")
    : no("NotBound", "The volume claim waits for a volume");
}

function podScheduled({ pod }: Facts): Judged | undefined {
  const condition = conditionOf(pod, "PodScheduled");
  if (!condition) return undefined;
  return condition.status === "True"
    ? yes("Scheduled", `On node ${pod?.spec?.nodeName ?? ""}`)
    : no(condition.reason ?? "Unschedulable", condition.message ?? "No node took the pod");
}

function runnerConnected(facts: Facts): Judged | undefined {
  if (facts.attempt === 0) return undefined;
  const isRunning = facts.run?.status === "running" && isConnected(facts);
  return isRunning
    ? yes("Claimed", `Attempt ${facts.attempt} executes the run`)
    : no("NotConnected", "No runner executes the run");
}

function ready({ phase, reason, message }: Told): Judged {
  return phase === "Running" ? yes(reason, message) : no(reason, message);
}

const yes = (reason: string, message: string): Judged => ({ status: "True", reason, message });
const no = (reason: string, message: string): Judged => ({
  status: "False",
  reason: reason.replaceAll(/[^A-Za-z0-9_]/g, "") || "Unknown",
  message: message.slice(0, 32_768),
});

const timeOf = (at: number | null): string | undefined =>
  at === null ? undefined : new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
