import type { Facts } from "./facts.ts";
import { isSettled } from "../session-logs/keeping.ts";
import type { Change, Plan } from "./plan.ts";
import { isPodOver } from "./pod-facts.ts";
import { runIdOf } from "./run-id.ts";

type Clear = Extract<Change, { readonly kind: "clear-attempt" }>;

/** What is left of an attempt, as far as its logs go. */
type Leftover = Pick<Facts["others"][number], "podName" | "isAlive" | "logs"> & {
  readonly isGoing: boolean;
};

/** As a Job's pod has it, unless the platform gives less. */
const graceSeconds = 30;

/** Until the logs of every attempt are settled, these wait. */
const last: ReadonlySet<Change["kind"]> = new Set([
  "revoke-tokens",
  "delete-logs",
  "tell",
  "remove-finalizer",
]);

/**
 * The same plan, in which no pod goes before its logs are read: they are begun to be followed before it is told to end, and whoever told it;
 * and what is left of an attempt stays until its logs are with the platform, or are known not to come.
 */
export function withLogs(facts: Facts, plan: Plan): Plan {
  const runId = runIdOf(facts);
  if (runId === undefined) return plan;
  const begun = new Map<number, Change>();
  const begin = (attempt: number, { podName, logs }: Leftover): void => {
    if (podName === undefined || logs.kind !== "unread") return;
    begun.set(attempt, { kind: "keep-logs", runId, attempt, podName });
  };
  const current = leftoverOf(facts, facts.attempt);
  if (current.isGoing || endsPod(plan, current.podName)) begin(facts.attempt, current);
  const changes: Change[] = [];
  let waits = false;
  for (const change of plan.changes) {
    if (change.kind !== "clear-attempt") {
      if (!waits || !last.has(change.kind)) changes.push(change);
      continue;
    }
    const leftover = leftoverOf(facts, change.attempt);
    begin(change.attempt, leftover);
    if (isSettled(leftover.logs)) {
      changes.push(change);
      continue;
    }
    waits = true;
    changes.push(...endOf(leftover));
  }
  return { ...plan, changes: [...begun.values(), ...changes] };
}

function leftoverOf(facts: Facts, attempt: Clear["attempt"]): Leftover {
  if (attempt !== facts.attempt) {
    const other = facts.others.find((one) => one.attempt === attempt);
    return other
      ? { ...other, isGoing: false }
      : { podName: undefined, isAlive: false, logs: { kind: "nothing" }, isGoing: false };
  }
  const { pod, logs } = facts;
  return {
    podName: pod?.metadata.name,
    isAlive: pod !== undefined && !isPodOver(pod),
    logs,
    isGoing: pod?.metadata.deletionTimestamp !== undefined,
  };
}

const endsPod = ({ changes }: Plan, podName: string | undefined): boolean =>
  changes.some((change) => change.kind === "delete-pod" && change.podName === podName);

/** The log of a pod that lives ends with it. */
function endOf({ podName, isAlive, isGoing }: Leftover): readonly Change[] {
  if (podName === undefined || !isAlive || isGoing) return [];
  return [{ kind: "delete-pod", podName, graceSeconds }];
}
