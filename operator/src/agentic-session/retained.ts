import { type Condition, findCondition } from "../kube/conditions.ts";
import { type Keeping, isSettled } from "../session-logs/keeping.ts";
import { type Facts, awaitsClaim, isConnected } from "./facts.ts";

type Judged = Pick<Condition, "status" | "reason" | "message">;

/**
 * Are the session's logs where they are to be kept? True: those of all attempts that are over. False stays, and names
 * what is missing. Unknown: a pod is there whose logs come later. Undefined: as it stood.
 */
export function judgeRetained(facts: Facts): Judged | undefined {
  const { retention } = facts.session.spec;
  if (retention.logs === 0) {
    return { status: "True", reason: "NotWanted", message: "retention.logs is 0: none are kept" };
  }
  const before = findCondition(
    facts.session.status?.conditions as readonly Condition[] | undefined,
    "Retained",
  );
  const wasLost = before?.status === "False" ? [before.message] : [];
  const lost = [...wasLost, ...lostOf(facts)];
  if (lost.length > 0) {
    const message = [...new Set(lost.flatMap((one) => one.split("\n")))].join("\n");
    return { status: "False", reason: "LogsLost", message: message.slice(0, 8192) };
  }
  return judgeKept(facts, before);
}

function judgeKept(facts: Facts, before: Condition | undefined): Judged | undefined {
  const all = logsOf(facts).map(({ logs }) => logs);
  if (all.some((logs) => !isSettled(logs))) return notYet;
  const kept = all.flatMap((logs) => (logs.kind === "kept" ? [logs] : []));
  if (kept.length > 0) {
    const days = facts.session.spec.retention.logs;
    const message = `The platform has the logs, for ${days} days from the end of each attempt`;
    return { status: "True", reason: "Stored", message };
  }
  return facts.pod && !before ? notYet : undefined;
}

const notYet: Judged = {
  status: "Unknown",
  reason: "NotOver",
  message: "Logs are kept when a pod ends",
};

const logsOf = ({
  others,
  attempt,
  logs,
}: Facts): readonly { attempt: number; logs: Keeping }[] => [...others, { attempt, logs }];

/** A line each. */
function lostOf(facts: Facts): readonly string[] {
  const told = logsOf(facts).flatMap(({ attempt, logs }) =>
    logs.kind === "lost" ? [`Attempt ${attempt}: ${oneLine(logs.what)}`] : [],
  );
  const { podName } = facts.session.status ?? {};
  if (!isGoneUnread(facts)) return told;
  return [...told, `Attempt ${facts.attempt}: pod ${podName} was gone before its logs were read`];
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 1024);

/** Its runner was at work, nobody has read what it wrote, and there is no pod to be asked. */
function isGoneUnread(facts: Facts): boolean {
  const { pod, logs, job, secret, session } = facts;
  if (pod || logs.kind !== "nothing" || session.status?.podName === undefined) return false;
  return (job ?? secret) !== undefined && isConnected(facts) && !awaitsClaim(facts);
}
