import type { Runner } from "./state.ts";

/**
 * The SQL of `warm_pods` (migrations/src/pool.ts). A pod is given one run: whoever comes with its token after that is
 * what the run executes there.
 */
export class WarmPods {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  /** A spent pod has no slot any more. */
  admit(runner: Runner, now: number): Runner {
    if (runner.podName === null) return runner;
    this.#sql.exec(
      `INSERT INTO warm_pods (pod_name, runner_id, seen_at) VALUES (?, ?, ?)
       ON CONFLICT (pod_name) DO UPDATE SET seen_at = excluded.seen_at,
       runner_id = iif(spent, runner_id, excluded.runner_id)`,
      runner.podName,
      runner.runnerId,
      now,
    );
    return this.bounded(runner);
  }

  /** With as many slots as its pod may still fill, whatever it says itself. */
  bounded(runner: Runner): Runner {
    return this.isSpent(runner) ? { ...runner, free: 0 } : runner;
  }

  isSpent({ podName }: Pick<Runner, "podName">): boolean {
    if (podName === null) return false;
    const [row] = this.#sql.exec<{ spent: number }>(
      "SELECT spent FROM warm_pods WHERE pod_name = ?",
      podName,
    );
    return row?.spent === 1;
  }

  /** The runner's pod, which is spent now; null: it is no warm runner. */
  spend(runnerId: string): string | null {
    const [row] = this.#sql.exec<{ podName: string }>(
      "UPDATE warm_pods SET spent = 1 WHERE runner_id = ? RETURNING pod_name AS podName",
      runnerId,
    );
    return row?.podName ?? null;
  }

  forget(before: number): void {
    this.#sql.exec("DELETE FROM warm_pods WHERE seen_at < ?", before);
  }
}
