import type { RunRecord, TortureRecord, Violation } from "../record.ts";
import { checkCancel } from "./check-cancel.ts";
import { checkExecutions } from "./check-executions.ts";
import { checkIdempotency } from "./check-idempotency.ts";
import { checkLog } from "./check-log.ts";
import { checkReaders } from "./check-readers.ts";
import { checkWords } from "./check-words.ts";

const ofOneRun = [checkLog, checkReaders, checkWords, checkCancel, checkExecutions, checkStrangers];

/** Holds everything that was seen against the promises (tests/torture/README.md). Empty: all were kept. */
export function check(record: TortureRecord): readonly Violation[] {
  return [
    ...checkIdempotency(record),
    ...record.runs.flatMap((run) => ofOneRun.flatMap((checkOne) => checkOne(run))),
  ];
}

/** P7: an id is no key. */
function checkStrangers({ runId, strangerStatuses }: RunRecord): readonly Violation[] {
  const seen = strangerStatuses.filter((status) => status !== 404);
  if (seen.length === 0) return [];
  return [{ promise: "P7", runId, evidence: `a stranger got ${seen.join(", ")}` }];
}
