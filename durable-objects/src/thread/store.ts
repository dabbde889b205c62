import { RunSpec, WorkspaceState } from "@millrace/contracts";
import { threadTables } from "@millrace/migrations";
import { and, asc, count, desc, eq, gte, isNotNull, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/durable-sqlite";
import type { DrizzleSqliteDODatabase } from "drizzle-orm/durable-sqlite";
import type { Turn } from "./decide-conversation.ts";
import type { OpenRun } from "./decide-next.ts";
import { decidePage } from "./decide-page.ts";
import type { ReportDecision } from "./decide-report.ts";
import { StoredView } from "./state.ts";
import type { StoredRun } from "./state.ts";
import type { Page, ThreadMessage, ThreadProject } from "./thread-rpc.ts";

const { messages, runs, thread } = threadTables;

/** Only one thread lives in an object. */
const theThread = 1;
const turnsPerQuery = 20;

export interface ThreadRow extends ThreadProject {
  readonly orgId: string;
  readonly registeredAt: number | null;
}

export interface NewThread {
  readonly orgId: string;
  readonly projectId: string;
  readonly name: string;
  readonly now: number;
}

export interface SavedReport extends ReportDecision {
  readonly over: boolean;
  readonly now: number;
}

export interface NewStoredRun {
  readonly spec: RunSpec;
  readonly view: StoredView;
  readonly fingerprint: string;
}

/** The thread's SQL. Several writes that belong together go through `transaction`. */
export class ThreadStore {
  readonly #storage: DurableObjectStorage;
  readonly #db: DrizzleSqliteDODatabase;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#db = drizzle(storage);
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  /** Whether this object has ever been given its tables. */
  exists(): boolean {
    const tables = this.#storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'thread'");
    return tables.toArray().length > 0;
  }

  thread(): ThreadRow | null {
    const row = this.#db.select().from(thread).where(eq(thread.id, theThread)).get();
    if (!row) return null;
    const { projectId, ...rest } = row;
    return { ...rest, id: projectId };
  }

  insertThread({ now, ...row }: NewThread): void {
    const values = { id: theThread, ...row, createdAt: now, updatedAt: now };
    this.#db.insert(thread).values(values).run();
  }

  /** Something that the registry shows has changed. */
  touchThread(now: number, latestRunId?: string): void {
    this.#db
      .update(thread)
      .set({
        updatedAt: sql`max(${now}, ${thread.updatedAt} + 1)`,
        ...(latestRunId === undefined ? {} : { latestRunId }),
      })
      .run();
  }

  /** The registry holds the thread as it was at `updatedAt`. */
  markRegistered(updatedAt: number): void {
    this.#db.update(thread).set({ registeredAt: updatedAt }).run();
  }

  runByKey(idempotencyKey: string): StoredRun | null {
    const row = this.#db.select().from(runs).where(eq(runs.idempotencyKey, idempotencyKey)).get();
    return row ? parseRun(row) : null;
  }

  run(runId: string): StoredRun | null {
    const row = this.#db.select().from(runs).where(eq(runs.runId, runId)).get();
    return row ? parseRun(row) : null;
  }

  latest(): { readonly runId: string; readonly runIndex: number } | null {
    const fields = { runId: runs.runId, runIndex: runs.runIndex };
    return this.#db.select(fields).from(runs).orderBy(desc(runs.runIndex)).limit(1).get() ?? null;
  }

  /** The first two runs that are not over, in order. */
  open(): readonly OpenRun[] {
    return this.#db
      .select({ runId: runs.runId, releasedAt: runs.releasedAt, heardAt: runs.heardAt })
      .from(runs)
      .where(sql`${runs.over} = 0`) // a literal, or SQLite does not use the partial index
      .orderBy(asc(runs.runIndex))
      .limit(2)
      .all();
  }

  /** The run and its prompt as the user's message; it is the writable one from here on. */
  insertRun({ spec, view, fingerprint }: NewStoredRun): void {
    const { runId, runIndex, createdAt } = spec;
    const inputJson = spec.input === null ? null : JSON.stringify(spec.input);
    this.#db
      .update(runs)
      .set({ writable: false })
      .where(sql`${runs.writable} = 1`)
      .run();
    this.#db
      .insert(runs)
      .values({
        runIndex,
        runId,
        parentRunId: spec.parentRunId,
        writable: true,
        idempotencyKey: spec.idempotencyKey,
        fingerprint,
        specJson: JSON.stringify(spec),
        viewJson: JSON.stringify(view),
        over: false,
        heardAt: createdAt,
      })
      .run();
    this.#db
      .insert(messages)
      .values({ runId, runIndex, role: "user", content: spec.prompt, inputJson, createdAt })
      .run();
  }

  markReleased(runId: string, now: number): void {
    this.#db.update(runs).set({ releasedAt: now, heardAt: now }).where(eq(runs.runId, runId)).run();
  }

  /** Saves what a report changed. */
  saveReport(run: StoredRun, report: SavedReport): void {
    const { over, now } = report;
    const workspaceJson = report.workspace === null ? null : JSON.stringify(report.workspace);
    this.#db
      .update(runs)
      .set({ viewJson: JSON.stringify(report.view), over, heardAt: now, workspaceJson })
      .where(eq(runs.runId, run.runId))
      .run();
    if (report.answer === null) return;
    const { runId, runIndex } = run;
    const createdAt = report.view.completedAt ?? now;
    this.#db
      .insert(messages)
      .values({ runId, runIndex, role: "assistant", content: report.answer, createdAt })
      .onConflictDoNothing()
      .run();
  }

  /** Newest first. The page ends early where it would weigh too much. */
  runs(limit: number, offset: number): Page<StoredRun> {
    const sizes = this.#db
      .select({ chars: sql<number>`length(${runs.specJson}) + length(${runs.viewJson})` })
      .from(runs)
      .orderBy(desc(runs.runIndex))
      .limit(limit)
      .offset(offset)
      .all();
    const rows = this.#db
      .select()
      .from(runs)
      .orderBy(desc(runs.runIndex))
      .limit(decidePage(sizes.map((size) => size.chars)))
      .offset(offset)
      .all();
    const counted = this.#db.select({ total: count() }).from(runs).get();
    return { items: rows.map(parseRun), total: counted?.total ?? 0 };
  }

  /** Oldest first. A run has at most its prompt and its answer. */
  messages(run: StoredRun, limit: number, offset: number): Page<ThreadMessage> {
    const rows = this.#db
      .select()
      .from(messages)
      .where(eq(messages.runIndex, run.runIndex))
      .orderBy(asc(messages.id))
      .all();
    return { items: rows.slice(offset, offset + limit).map(parseMessage), total: rows.length };
  }

  /** The turns before this run, newest first; read as far as they are taken. */
  *turnsBefore(runIndex: number): Generator<Turn> {
    let before = runIndex;
    while (before > 1) {
      const from = Math.max(before - turnsPerQuery, 1);
      const rows = this.#db
        .select({ index: messages.runIndex, role: messages.role, content: messages.content })
        .from(messages)
        .where(and(gte(messages.runIndex, from), lt(messages.runIndex, before)))
        .all();
      yield* toTurns(rows, from, before);
      before = from;
    }
  }

  /** The files as the newest run before this one that stored any has left them. */
  workspaceBefore(runIndex: number): WorkspaceState | null {
    const row = this.#db
      .select({ json: runs.workspaceJson })
      .from(runs)
      .where(and(lt(runs.runIndex, runIndex), isNotNull(runs.workspaceJson)))
      .orderBy(desc(runs.runIndex))
      .limit(1)
      .get();
    return row?.json ? WorkspaceState.parse(JSON.parse(row.json)) : null;
  }
}

function* toTurns(
  rows: readonly { readonly index: number; readonly role: string; readonly content: string }[],
  from: number,
  before: number,
): Generator<Turn> {
  const said = new Map(rows.map((row) => [`${row.index} ${row.role}`, row.content]));
  for (let index = before - 1; index >= from; index -= 1) {
    const prompt = said.get(`${index} user`);
    if (prompt !== undefined) yield { prompt, answer: said.get(`${index} assistant`) ?? null };
  }
}

function parseRun(row: typeof runs.$inferSelect): StoredRun {
  const { specJson, viewJson, workspaceJson, ...rest } = row;
  return {
    ...rest,
    spec: RunSpec.parse(JSON.parse(specJson)),
    view: StoredView.parse(JSON.parse(viewJson)),
    workspace: workspaceJson === null ? null : WorkspaceState.parse(JSON.parse(workspaceJson)),
  };
}

function parseMessage(row: typeof messages.$inferSelect): ThreadMessage {
  const { inputJson, runIndex: _, ...message } = row;
  return { ...message, input: inputJson === null ? null : JSON.parse(inputJson) };
}
