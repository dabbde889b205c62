import { RunSpec } from "@millrace/contracts";
import type { WaitingRun } from "./pool-rpc.ts";
import type { RefusalReason, StandingOffer } from "./state.ts";

type Row<T> = Record<keyof T & string, SqlStorageValue> & { [Column in keyof T]: T[Column] };

const waitingColumns = `waiting.org_id AS orgId, waiting.project_id AS projectId,
  waiting.run_id AS runId, waiting.attempt AS attempt, waiting.spec AS spec`;

type WaitingRow = Row<Omit<WaitingRun, "spec"> & { readonly spec: string | null }>;

function toWaiting({ spec, ...run }: WaitingRow): WaitingRun {
  return spec === null ? run : { ...run, spec: RunSpec.parse(JSON.parse(spec)) };
}
const offerColumns = "run_id AS runId, attempt, runner_id AS runnerId, deadline";

/** The pool's SQL; the tables stand in migrations/src/pool.ts. Writes of one turn commit together. */
export class PoolStore {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
  }

  waiting(runId: string): WaitingRun | null {
    const [run] = this.#sql.exec<WaitingRow>(
      `SELECT ${waitingColumns} FROM waiting WHERE run_id = ?`,
      runId,
    );
    return run ? toWaiting(run) : null;
  }

  insertWaiting(run: WaitingRun, since: number): void {
    this.#sql.exec(
      "INSERT INTO waiting (org_id, project_id, run_id, attempt, since, spec) VALUES (?, ?, ?, ?, ?, ?)",
      run.orgId,
      run.projectId,
      run.runId,
      run.attempt,
      since,
      run.spec ? JSON.stringify(run.spec) : null,
    );
  }

  /** A session was asked for: it is not offered any more. */
  markStarted(runId: string): void {
    this.#sql.exec("UPDATE waiting SET started = 1 WHERE run_id = ?", runId);
  }

  isStarted(runId: string): boolean {
    const [row] = this.#sql.exec<{ started: number }>(
      "SELECT started FROM waiting WHERE run_id = ?",
      runId,
    );
    return row?.started === 1;
  }

  waitingCount(): number {
    return this.#sql.exec<{ n: number }>("SELECT count(*) AS n FROM waiting").one().n;
  }

  /** Runs that nobody has been asked to take, longest waiting first. */
  unoffered(): readonly WaitingRun[] {
    const runs = this.#sql.exec<WaitingRow>(
      `SELECT ${waitingColumns} FROM waiting
       WHERE started = 0 AND run_id NOT IN (SELECT run_id FROM offers) ORDER BY place`,
    );
    return runs.toArray().map(toWaiting);
  }

  /** The run no longer waits, and nothing is remembered of who would not take it. */
  removeWaiting(runId: string): void {
    this.#sql.exec("DELETE FROM waiting WHERE run_id = ?", runId);
    this.#sql.exec("DELETE FROM offers WHERE run_id = ?", runId);
    this.#sql.exec("DELETE FROM refusals WHERE run_id = ?", runId);
  }

  offer(runId: string): StandingOffer | null {
    const [offer] = this.#sql.exec<Row<StandingOffer>>(
      `SELECT ${offerColumns} FROM offers WHERE run_id = ?`,
      runId,
    );
    return offer ?? null;
  }

  insertOffer({ runId, attempt, runnerId, deadline }: StandingOffer): void {
    this.#sql.exec(
      "INSERT INTO offers (run_id, attempt, runner_id, deadline) VALUES (?, ?, ?, ?)",
      runId,
      attempt,
      runnerId,
      deadline,
    );
  }

  removeOffer(runId: string): void {
    this.#sql.exec("DELETE FROM offers WHERE run_id = ?", runId);
  }

  removeOffersOf(runnerId: string): void {
    this.#sql.exec("DELETE FROM offers WHERE runner_id = ?", runnerId);
  }

  /** Drops offers whose runner is not among these. */
  keepOffersOf(runnerIds: readonly string[]): void {
    this.#sql.exec(
      "DELETE FROM offers WHERE runner_id NOT IN (SELECT value FROM json_each(?))",
      JSON.stringify(runnerIds),
    );
  }

  offersPastDeadline(now: number): readonly StandingOffer[] {
    const offers = this.#sql.exec<Row<StandingOffer>>(
      `SELECT ${offerColumns} FROM offers WHERE deadline <= ?`,
      now,
    );
    return offers.toArray();
  }

  /** How many offers stand, by runner. */
  offerCounts(): ReadonlyMap<string, number> {
    const counts = this.#sql.exec<{ runnerId: string; n: number }>(
      "SELECT runner_id AS runnerId, count(*) AS n FROM offers GROUP BY runner_id",
    );
    return new Map(counts.toArray().map(({ runnerId, n }) => [runnerId, n]));
  }

  refusedBy(runId: string): ReadonlySet<string> {
    const refusals = this.#sql.exec<{ runnerId: string }>(
      "SELECT runner_id AS runnerId FROM refusals WHERE run_id = ?",
      runId,
    );
    return new Set(refusals.toArray().map(({ runnerId }) => runnerId));
  }

  insertRefusal(runId: string, runnerId: string, reason: RefusalReason): void {
    this.#sql.exec(
      `INSERT INTO refusals (run_id, runner_id, reason) VALUES (?, ?, ?)
       ON CONFLICT (run_id, runner_id) DO UPDATE SET reason = excluded.reason`,
      runId,
      runnerId,
      reason,
    );
  }

  /** The run is asked for again: whoever let an offer of it pass gets another chance. */
  forgiveSilence(runId: string): void {
    this.#sql.exec("DELETE FROM refusals WHERE run_id = ? AND reason = 'silent'", runId);
  }

  /** The runner has spoken: what it could not take before, it may be able to take now. */
  forgiveRunner(runnerId: string): void {
    this.#sql.exec(
      `DELETE FROM refusals WHERE runner_id = ? AND reason IN ('full', 'draining', 'silent')`,
      runnerId,
    );
  }

  holder(projectId: string): string | null {
    const [row] = this.#sql.exec<{ runnerId: string }>(
      "SELECT runner_id AS runnerId FROM holders WHERE project_id = ?",
      projectId,
    );
    return row?.runnerId ?? null;
  }

  saveHolder(projectId: string, runnerId: string, takenAt: number): void {
    this.#sql.exec(
      `INSERT INTO holders (project_id, runner_id, taken_at) VALUES (?, ?, ?)
       ON CONFLICT (project_id) DO UPDATE
       SET runner_id = excluded.runner_id, taken_at = excluded.taken_at`,
      projectId,
      runnerId,
      takenAt,
    );
  }

  /** Forgets holders from before this time, and answers the runs that have waited since before it. */
  prune(before: number): readonly string[] {
    this.#sql.exec("DELETE FROM holders WHERE taken_at < ?", before);
    const runs = this.#sql.exec<{ runId: string }>(
      "SELECT run_id AS runId FROM waiting WHERE since <= ?",
      before,
    );
    return runs.toArray().map(({ runId }) => runId);
  }

  /** When the next offer passes its deadline, or a run has waited for `patienceMs`. */
  nextDue(patienceMs: number): number | null {
    const { at } = this.#sql
      .exec<{ at: number | null }>(
        `SELECT min(at) AS at FROM (SELECT min(deadline) AS at FROM offers
         UNION ALL SELECT min(since) + ? FROM waiting)`,
        patienceMs,
      )
      .one();
    return at;
  }
}
