import { isTerminal } from "@millrace/contracts";
import { lateName, type LoggedEvent, type RunRecord, type Violation } from "../record.ts";

const overStatuses = new Set(["completed", "error", "cancelled"]);

/** P1: it ends. P2: numbers are dense. P3: one end, the last. P4: only the current attempt writes. P9: no call completes twice. */
export function checkLog({ runId, status, log }: RunRecord): readonly Violation[] {
  const violations: Violation[] = [];
  const report = (promise: Violation["promise"], evidence: string): void => {
    violations.push({ promise, runId, evidence });
  };
  const isOver = overStatuses.has(status);
  if (!isOver) report("P1", `it is still ${status}`);
  const gap = log.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap !== -1) report("P2", `event ${gap + 1} has number ${log[gap]?.seq}`);
  for (const evidence of findEnds(log, isOver)) report("P3", evidence);
  for (const evidence of [...findStrays(log), ...findLate(log)]) report("P4", evidence);
  for (const evidence of findRepeated(log)) report("P9", evidence);
  return violations;
}

function findEnds(log: readonly LoggedEvent[], isOver: boolean): readonly string[] {
  const ends = log.filter(({ type }) => isTerminal(type));
  if (ends.length !== (isOver ? 1 : 0)) return [`${ends.length} terminal events`];
  const [end] = ends;
  const behind = end === undefined ? 0 : log.length - 1 - log.indexOf(end);
  return behind === 0 ? [] : [`${behind} events behind it`];
}

/** What is open, and everything that ever was. */
interface Constructs {
  readonly open: Set<string>;
  readonly known: Set<string>;
}

/** Nothing opens twice; what an attempt opens is closed before the next begins; what continues or closes it belongs to something open. */
function findStrays(log: readonly LoggedEvent[]): readonly string[] {
  const open = new Set<string>();
  const known = new Set<string>();
  let attempt = 0;
  return log.flatMap((event) => {
    if (event.type !== "run.started") return strayIn(event, { open, known });
    const [before, left] = [attempt, [...open].join(", ")];
    attempt = Number(event.data["attempt"]);
    open.clear();
    if (attempt <= before) return [`attempt ${attempt} starts at ${event.seq}, behind ${before}`];
    return left === "" ? [] : [`${left} open when attempt ${attempt} starts`];
  });
}

function strayIn({ seq, type, data }: LoggedEvent, { open, known }: Constructs): readonly string[] {
  const [family = "", step = ""] = type.split(".");
  if (!constructs.has(family)) return [];
  const id = `${family} ${String(data["callId"] ?? data["messageId"])}`;
  if (step === "started") {
    const evidence = known.has(id) ? [`${id} starts again at ${seq}`] : [];
    known.add(id);
    open.add(id);
    return evidence;
  }
  const isOpen = open.has(id);
  if (step === "finished") open.delete(id);
  return isOpen ? [] : [`${type} at ${seq}, but ${id} is not open`];
}

/** A runner writes only while its attempt is on. */
function findLate(log: readonly LoggedEvent[]): readonly string[] {
  let current: number | null = null;
  return log.flatMap(({ seq, type, data }) => {
    if (type === "run.started") current = Number(data["attempt"]);
    if (type === "run.retrying") current = null;
    if (type.startsWith("run.")) return [];
    if (current === null) return [`${type} at ${seq}, while no attempt is on`];
    if (data["name"] !== lateName || data["value"] === current) return [];
    return [`attempt ${String(data["value"])} wrote at ${seq}, in attempt ${current}`];
  });
}

const constructs = new Set(["text", "reasoning", "tool"]);

function findRepeated(log: readonly LoggedEvent[]): readonly string[] {
  const finished = log.filter(({ type, data }) => type === "tool.finished" && data["ok"] === true);
  const byCall = Map.groupBy(finished, ({ data }) => String(data["callId"]));
  return [...byCall]
    .filter(([, events]) => events.length > 1)
    .map(([call, events]) => `${call} completed at ${events.map(({ seq }) => seq).join(" and ")}`);
}
