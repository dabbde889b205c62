/** What the edge answered. A refusal is a value: a reconcile acts on it. */
export type EdgeAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      /** Of the problem; `unreachable` when there was no answer, or none that the platform gives. */
      readonly code: string;
      readonly message: string;
    };

/** The edge could not be asked, or asks for patience; the same again may succeed. */
class EdgeUnavailable extends Error {
  override readonly name = "EdgeUnavailable";
  readonly retryable = true;
}

const passing: ReadonlySet<string> = new Set([
  "unreachable",
  "unavailable",
  "rate_limited",
  "internal",
]);

/** Another try can help. */
export const isPassing = (code: string): boolean => passing.has(code);

/** The value; undefined for a refusal that stays one. Throws where another try can help. */
export function settle<T>(answer: EdgeAnswer<T>, what: string): T | undefined {
  if (answer.ok) return answer.value;
  if (passing.has(answer.code)) throw new EdgeUnavailable(`${what}: ${answer.message}`);
  return undefined;
}
