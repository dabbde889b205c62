import type { CreateAnswer, TortureRecord, Violation } from "../record.ts";

/** P6: one key, one body, one run; another body is refused. P1: what was accepted is there. */
export function checkIdempotency({ creates, runs }: TortureRecord): readonly Violation[] {
  const known = new Set(runs.map(({ runId }) => runId));
  const byKey = Map.groupBy(creates, ({ key }) => key);
  const violations: Violation[] = [];
  for (const [key, answers] of byKey) {
    const ids = new Set(answers.flatMap(({ runId }) => (runId === null ? [] : [runId])));
    const [runId = null] = ids;
    if (ids.size > 1) {
      violations.push({ promise: "P6", runId, evidence: `${key} made ${[...ids].join(" and ")}` });
    }
    if (isMixed(answers)) {
      violations.push({ promise: "P6", runId, evidence: `${key} was taken with another body` });
    }
    for (const id of ids) {
      if (!known.has(id))
        violations.push({ promise: "P1", runId: id, evidence: "nobody knows it" });
    }
  }
  return violations;
}

/** Was the key taken with more than one body? */
function isMixed(answers: readonly CreateAnswer[]): boolean {
  const taken = answers.filter(({ status }) => status === 200);
  return new Set(taken.map(({ body }) => body)).size > 1;
}
