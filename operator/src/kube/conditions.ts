/** One entry of `status.conditions` (metav1.Condition). */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export type ConditionFacts = Omit<Condition, "lastTransitionTime">;

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === "True";
}

/**
 * The conditions with this one in its place. `lastTransitionTime` moves only when the status does,
 * and when nothing changes the same array comes back: no status write is needed.
 */
export function setCondition(
  conditions: readonly Condition[],
  facts: ConditionFacts,
  now: Date,
): readonly Condition[] {
  const found = findCondition(conditions, facts.type);
  if (found && isSame(found, facts)) return conditions;
  const lastTransitionTime =
    found?.status === facts.status ? found.lastTransitionTime : toTime(now);
  const condition = { ...facts, lastTransitionTime };
  if (!found) return [...conditions, condition];
  return conditions.map((one) => (one === found ? condition : one));
}

function isSame(found: Condition, facts: ConditionFacts): boolean {
  return (
    found.status === facts.status &&
    found.reason === facts.reason &&
    found.message === facts.message &&
    found.observedGeneration === facts.observedGeneration
  );
}

/** metav1.Time has whole seconds. */
const toTime = (at: Date): string => at.toISOString().replace(/\.\d+Z$/, "Z");
