import { poolTables } from "@millrace/migrations";
import { and, asc, count, eq, inArray, isNull, lt, lte, min, notInArray } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import type { DrizzleSqliteDODatabase } from "drizzle-orm/durable-sqlite";
import type { WaitingRun } from "./pool-rpc.ts";
import type { RefusalReason, StandingOffer } from "./state.ts";

const { holders, offers, refusals, waiting } = poolTables;

const waitingRun = {
  orgId: waiting.orgId,
  projectId: waiting.projectId,
  runId: waiting.runId,
  attempt: waiting.attempt,
};

/** The pool's SQL. Writes of one turn commit together. */
export class PoolStore {
  readonly #db: DrizzleSqliteDODatabase;

  constructor(storage: DurableObjectStorage) {
    this.#db = drizzle(storage);
  }

  waiting(runId: string): WaitingRun | null {
    return this.#db.select(waitingRun).from(waiting).where(eq(waiting.runId, runId)).get() ?? null;
  }

  insertWaiting(run: WaitingRun, since: number): void {
    this.#db
      .insert(waiting)
      .values({ ...run, since })
      .run();
  }

  /** Runs that nobody has been asked to take, longest waiting first. */
  unoffered(): readonly WaitingRun[] {
    return this.#db
      .select(waitingRun)
      .from(waiting)
      .leftJoin(offers, eq(offers.runId, waiting.runId))
      .where(isNull(offers.runId))
      .orderBy(asc(waiting.place))
      .all();
  }

  /** The run no longer waits, and nothing is remembered of who would not take it. */
  removeWaiting(runId: string): void {
    this.#db.delete(waiting).where(eq(waiting.runId, runId)).run();
    this.#db.delete(offers).where(eq(offers.runId, runId)).run();
    this.#db.delete(refusals).where(eq(refusals.runId, runId)).run();
  }

  offer(runId: string): StandingOffer | null {
    return this.#db.select().from(offers).where(eq(offers.runId, runId)).get() ?? null;
  }

  insertOffer(offer: StandingOffer): void {
    this.#db.insert(offers).values(offer).run();
  }

  removeOffer(runId: string): void {
    this.#db.delete(offers).where(eq(offers.runId, runId)).run();
  }

  removeOffersOf(runnerId: string): void {
    this.#db.delete(offers).where(eq(offers.runnerId, runnerId)).run();
  }

  /** Drops offers whose runner is not among these. */
  keepOffersOf(runnerIds: readonly string[]): void {
    this.#db
      .delete(offers)
      .where(notInArray(offers.runnerId, [...runnerIds]))
      .run();
  }

  offersPastDeadline(now: number): readonly StandingOffer[] {
    return this.#db.select().from(offers).where(lte(offers.deadline, now)).all();
  }

  /** How many offers stand, by runner. */
  offerCounts(): ReadonlyMap<string, number> {
    const rows = this.#db
      .select({ runnerId: offers.runnerId, offers: count() })
      .from(offers)
      .groupBy(offers.runnerId)
      .all();
    return new Map(rows.map((row) => [row.runnerId, row.offers]));
  }

  refusedBy(runId: string): ReadonlySet<string> {
    const rows = this.#db
      .select({ runnerId: refusals.runnerId })
      .from(refusals)
      .where(eq(refusals.runId, runId))
      .all();
    return new Set(rows.map((row) => row.runnerId));
  }

  insertRefusal(runId: string, runnerId: string, reason: RefusalReason): void {
    this.#db
      .insert(refusals)
      .values({ runId, runnerId, reason })
      .onConflictDoUpdate({ target: [refusals.runId, refusals.runnerId], set: { reason } })
      .run();
  }

  /** The run is asked for again: whoever let an offer of it pass gets another chance. */
  forgiveSilence(runId: string): void {
    const silent = and(eq(refusals.runId, runId), eq(refusals.reason, "silent"));
    this.#db.delete(refusals).where(silent).run();
  }

  /** The runner has spoken: what it could not take before, it may be able to take now. */
  forgiveRunner(runnerId: string): void {
    const passing = inArray(refusals.reason, ["full", "draining", "silent"]);
    this.#db
      .delete(refusals)
      .where(and(eq(refusals.runnerId, runnerId), passing))
      .run();
  }

  holder(projectId: string): string | null {
    const row = this.#db.select().from(holders).where(eq(holders.projectId, projectId)).get();
    return row?.runnerId ?? null;
  }

  saveHolder(projectId: string, runnerId: string, takenAt: number): void {
    this.#db
      .insert(holders)
      .values({ projectId, runnerId, takenAt })
      .onConflictDoUpdate({ target: holders.projectId, set: { runnerId, takenAt } })
      .run();
  }

  /** Forgets holders from before this time, and answers the runs that have waited since before it. */
  prune(before: number): readonly string[] {
    this.#db.delete(holders).where(lt(holders.takenAt, before)).run();
    const rows = this.#db
      .select({ runId: waiting.runId })
      .from(waiting)
      .where(lte(waiting.since, before))
      .all();
    return rows.map((row) => row.runId);
  }

  /** When the first standing offer passes its deadline. */
  firstDeadline(): number | null {
    return (
      this.#db
        .select({ at: min(offers.deadline) })
        .from(offers)
        .get()?.at ?? null
    );
  }

  /** Since when the longest waiting run waits. */
  firstSince(): number | null {
    return (
      this.#db
        .select({ at: min(waiting.since) })
        .from(waiting)
        .get()?.at ?? null
    );
  }
}
