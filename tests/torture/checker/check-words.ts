import type { LoggedEvent, RunRecord, Violation } from "../record.ts";

/** P2: what was said where the run is executed is in the log once: messages as the model said them, what commands printed, phases. */
export function checkWords({ runId, log, messages }: RunRecord): readonly Violation[] {
  const found = [...findOtherWords(log, messages), ...findOtherLines(log), ...findSamePhases(log)];
  return found.map((evidence) => ({ promise: "P2", runId, evidence }));
}

/** A message is one that the model may say, and a beginning of it if it was interrupted. */
function findOtherWords(
  log: readonly LoggedEvent[],
  messages: readonly string[],
): readonly string[] {
  const said = join(log, "text.delta", ({ messageId, text }) => [messageId, text]);
  return log.flatMap(({ type, data, seq }) => {
    if (type !== "text.finished") return [];
    const text = said.get(data["messageId"]) ?? "";
    const isPart = data["interrupted"] === true;
    const isSo = messages.some((one) => (isPart ? one.startsWith(text) : one === text));
    return isSo ? [] : [`nobody said what ends at ${seq}: ${JSON.stringify(text.slice(-200))}`];
  });
}

/** A command prints its first and its last line once; what completed has printed the first. */
function findOtherLines(log: readonly LoggedEvent[]): readonly string[] {
  const printed = join(log, "tool.output", ({ callId, chunk }) => [callId, chunk]);
  return log.flatMap(({ type, data, seq }) => {
    if (type !== "tool.finished") return [];
    const text = printed.get(data["callId"]) ?? "";
    const counts = ["begin-", "end-"].map((line) => text.split(line).length - 1);
    const [begun = 0] = counts;
    const isSo = counts.every((count) => count <= 1) && (begun === 1 || data["ok"] !== true);
    return isSo ? [] : [`the call that ends at ${seq} printed its lines ${counts.join(" and ")} x`];
  });
}

/** Texts of the events of a type, joined by what they belong to. */
function join(
  log: readonly LoggedEvent[],
  type: string,
  partOf: (data: LoggedEvent["data"]) => readonly [id: unknown, text: unknown],
): ReadonlyMap<unknown, string> {
  const texts = new Map<unknown, string>();
  for (const event of log) {
    if (event.type !== type) continue;
    const [id, text] = partOf(event.data);
    texts.set(id, (texts.get(id) ?? "") + String(text));
  }
  return texts;
}

/** An attempt enters and leaves a phase once. */
function findSamePhases(log: readonly LoggedEvent[]): readonly string[] {
  const passed = new Set<string>();
  return log.flatMap(({ type, data, seq }) => {
    if (type === "run.started") passed.clear();
    if (type !== "run.phase") return [];
    const phase = `${String(data["phase"])} ${String(data["state"])}`;
    const evidence = passed.has(phase) ? [`phase ${phase} again at ${seq}`] : [];
    passed.add(phase);
    return evidence;
  });
}
