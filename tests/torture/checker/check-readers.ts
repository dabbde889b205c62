import type { ReaderRecord, RunRecord, Violation } from "../record.ts";

/** P2: whoever followed, with however many connections, has what the log has. P3: it was let go only behind the end. */
export function checkReaders({ runId, log, frames, readers }: RunRecord): readonly Violation[] {
  if (frames === null) return [];
  const violations: Violation[] = [];
  const report = (promise: Violation["promise"], evidence: string): void => {
    violations.push({ promise, runId, evidence });
  };
  const whole = {
    sse: frames.map((frame) => JSON.stringify(frame)),
    stream: log.map((event) => JSON.stringify(event)),
  };
  if (whole.sse.length !== whole.stream.length) {
    report("P2", `${whole.sse.length} frames for ${whole.stream.length} events`);
  }
  readers.forEach((reader, index) => {
    const name = `reader ${index} (${reader.kind}, ${reader.connections} connections)`;
    const wrong = firstDifference(reader, whole[reader.kind]);
    if (wrong !== null) report("P2", `${name}: ${wrong}`);
    const isWhole = reader.items.length === whole[reader.kind].length;
    if (reader.ended && !isWhole) report("P3", `${name} was let go after ${reader.items.length}`);
  });
  return violations;
}

/** A reader that left early has a beginning of the log; nobody has anything else. */
function firstDifference({ ids, items }: ReaderRecord, whole: readonly string[]): string | null {
  const jump = ids.findIndex((id, index) => id !== index + 1);
  if (jump !== -1) return `got ${ids[jump]} after ${ids[jump - 1] ?? 0}`;
  const other = items.findIndex((item, index) => item !== whole[index]);
  return other === -1 ? null : `got at ${other + 1}: ${items[other]?.slice(0, 200)}`;
}
