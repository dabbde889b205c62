import { DurableObject } from "cloudflare:workers";
import { isOver, RunSpec } from "@millrace/contracts";
import { threadMigrations } from "@millrace/migrations";
import { z } from "zod";
import { applyMigrations } from "../migrate.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { readQuotas } from "../quotas.ts";
import type { Refusal, RunReport } from "../run/run-rpc.ts";
import { decideCreate, type OpenRunsLimit } from "./decide-create.ts";
import { decideNext } from "./decide-next.ts";
import { decideReport } from "./decide-report.ts";
import { DueList } from "./due-list.ts";
import { ThreadEffects } from "./effects.ts";
import { viewOfNewRun } from "./state.ts";
import type { DueItem, StoredRun } from "./state.ts";
import { ThreadStore } from "./store.ts";
import type { NewThread, ThreadRow } from "./store.ts";
import type {
  NewRun,
  Page,
  ThreadMessage,
  ThreadProject,
  ThreadRpc,
  ThreadRun,
} from "./thread-rpc.ts";

const MaxAttempts = z.coerce.number().int().positive().default(3);

/** An effect is tried at once; its due item only wakes the alarm when that try came to nothing. */
const firstRetryMs = 1_000;
/** Well before that retry, and after what a create sets off has reached its runner. */
const recordDelayMs = 250;

/**
 * A thread: the runs of one project in order. What it decides it commits together with what it then
 * owes to others (the due list); whatever happens after the commit can be lost and is done again.
 */
export class ThreadObject extends DurableObject<PlatformEnv> implements ThreadRpc {
  readonly #store: ThreadStore;
  readonly #due: DueList;
  readonly #effects: ThreadEffects;
  /** Tables exist from the first `open` on: asking for a project that is not there must not make storage. */
  #opened = false;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    this.#store = new ThreadStore(ctx.storage);
    this.#due = new DueList(ctx.storage);
    this.#effects = new ThreadEffects(env, this.#store, this.#due);
    if (this.#store.exists()) this.#prepare();
  }

  async open(
    orgId: string,
    projectId: string,
    name: string,
    now: number,
  ): Promise<{ readonly project: ThreadProject; readonly created: boolean }> {
    if (!this.#opened) this.#prepare();
    const known = this.#store.thread();
    const thread = known ?? this.#insert({ orgId, projectId, name, now });
    if (thread.registeredAt === null) await this.#effects.register();
    return { project: toProject(thread), created: known === null };
  }

  async project(): Promise<
    ({ readonly ok: true } & { readonly project: ThreadProject }) | Refusal<"not_found">
  > {
    const thread = this.#thread();
    return thread ? { ok: true, project: toProject(thread) } : { ok: false, code: "not_found" };
  }

  async createRun(
    run: NewRun,
  ): Promise<
    | { readonly ok: true; readonly run: ThreadRun; readonly created: boolean }
    | Refusal<"not_found" | "idempotency_mismatch" | OpenRunsLimit>
  > {
    const thread = this.#thread();
    if (!thread) return { ok: false, code: "not_found" };
    const outcome = this.#store.transaction(() => this.#create(thread, run));
    this.#armAlarm();
    if (typeof outcome === "string") return { ok: false, code: outcome };
    if (outcome.created || this.#due.owesStart(outcome.run.runId))
      await this.#startNow(outcome.run);
    return { ok: true, run: toThreadRun(outcome.run), created: outcome.created };
  }

  async run(runId: string): Promise<ThreadRun | null> {
    const run = this.#opened ? this.#store.run(runId) : null;
    return run ? toThreadRun(run) : null;
  }

  async runs(limit: number, offset: number): Promise<Page<ThreadRun> | null> {
    if (!this.#opened) return null;
    const { items, total } = this.#store.runs(limit, offset);
    return { items: items.map(toThreadRun), total };
  }

  async messages(
    runId: string,
    limit: number,
    offset: number,
  ): Promise<Page<ThreadMessage> | null> {
    const page = this.#opened ? this.#store.messages(runId, limit, offset) : null;
    return page?.total ? page : null; // a run of this thread has its prompt at least
  }

  async report(report: RunReport): Promise<void> {
    if (!this.#opened) return;
    const now = Date.now();
    const { released, ended } = this.#store.transaction(() => this.#takeReport(report, now));
    this.#armAlarm();
    if (released) this.#inBackground(this.#start(released));
    if (ended) this.#inBackground(this.#effects.register());
  }

  override async alarm(): Promise<void> {
    this.#due.alarmFired();
    if (!this.#opened) return;
    const items = this.#due.take(Date.now());
    // Armed before the work: a try that hangs or dies is followed by the next.
    this.#armAlarm();
    await Promise.allSettled(items.map((item) => this.#perform(item)));
    this.#armAlarm();
  }

  #insert(project: NewThread): ThreadRow {
    const thread = this.#store.transaction(() => {
      this.#due.add("register", "", project.now + firstRetryMs);
      return this.#store.insertThread(project);
    });
    this.#armAlarm();
    return thread;
  }

  /** In a transaction. A text: why not. */
  #create(
    thread: ThreadRow,
    request: NewRun,
  ):
    | { readonly run: StoredRun; readonly created: boolean }
    | "idempotency_mismatch"
    | OpenRunsLimit {
    const sameKey = this.#store.runByKey(request.idempotencyKey);
    const situation = { sameKey, latest: this.#store.latest(), full: this.#full(request) };
    const decision = decideCreate(situation, request.fingerprint);
    switch (decision.kind) {
      case "mismatch":
        return "idempotency_mismatch";
      case "full":
        return decision.limit;
      case "known":
        return sameKey ? { run: sameKey, created: false } : "idempotency_mismatch";
      case "create": {
        const { now, runId } = request;
        const run = makeRun(thread, request, decision, MaxAttempts.parse(this.env.MAX_ATTEMPTS));
        this.#store.insertRun(run);
        this.#store.touchThread(now, runId);
        this.#due.add("register", "", now + firstRetryMs);
        const released = this.#moveOn(now);
        if (released === runId) return { run: { ...run, releasedAt: now }, created: true };
        this.#due.add("init", runId, now + firstRetryMs);
        return { run, created: true };
      }
    }
  }

  #full({ admitted }: NewRun): OpenRunsLimit | null {
    if (!admitted) return "open_runs_per_org";
    const max = readQuotas(this.env).LIMIT_OPEN_RUNS_PER_PROJECT;
    return this.#store.hasOpen(max) ? "open_runs_per_project" : null;
  }

  /** In a transaction. `released`: the run whose turn has come. */
  #takeReport(
    report: RunReport,
    now: number,
  ): { readonly released: StoredRun | null; readonly ended: boolean } {
    const { spec, ...view } = report.view;
    const known = this.#store.run(spec.runId);
    if (!known) return { released: null, ended: false };
    const decision = decideReport(known, { view, workspace: report.workspace });
    const over = isOver(decision.view.status);
    this.#store.saveReport(known, { ...decision, over, now });
    if (over) this.#due.settle("ask", spec.runId);
    if (decision.ended) {
      this.#store.touchThread(now);
      this.#due.add("register", "", now + firstRetryMs);
    }
    const released = this.#moveOn(now);
    return {
      released: released === null ? null : this.#store.run(released),
      ended: decision.ended,
    };
  }

  /** In a transaction: releases the run whose turn it is, or keeps an eye on the one that others wait for. */
  #moveOn(now: number): string | null {
    const next = decideNext(this.#store.open());
    switch (next.kind) {
      case "idle":
        return null;
      case "ask":
        this.#due.add("ask", next.runId, next.at);
        return null;
      case "release":
        this.#store.markReleased(next.runId, now);
        this.#due.add("release", next.runId, now + firstRetryMs);
        return next.runId;
    }
  }

  async #perform(item: DueItem): Promise<void> {
    if (item.kind === "register") return this.#effects.register();
    const run = this.#store.run(item.subject);
    if (!run) return this.#due.settle(item.kind, item.subject);
    if (item.kind === "ask") return this.#ask(run);
    return this.#start(run);
  }

  /** The predecessor of a waiting run has been silent for long: perhaps its end was never reported. */
  async #ask(run: StoredRun): Promise<void> {
    const next = decideNext(this.#store.open());
    if (next.kind !== "ask" || next.runId !== run.runId) return this.#due.settle("ask", run.runId);
    if (next.at > Date.now()) return this.#due.add("ask", run.runId, next.at);
    const report = await this.#effects.ask(run);
    if (report) return this.report(report);
    await this.#start(run);
  }

  async #start(run: StoredRun): Promise<void> {
    await this.#effects.start(run);
    this.#effects.started(run);
  }

  /** Answers when readers find the run. The rest follows by itself, and by alarm if it fails. */
  async #startNow(run: StoredRun): Promise<void> {
    const known = this.#effects.start(run);
    this.#inBackground(this.#recordLater(run, known));
    // The run is accepted: a start that fails now is made up for by the alarm.
    await known.catch(() => undefined);
  }

  // A reply leaves when the writes before it are on disk, and a user waits for this one and for the runner's first
  // event. Nobody waits for what is written here: dying before it costs a repeated start.
  async #recordLater(run: StoredRun, known: Promise<void>): Promise<void> {
    await known;
    await scheduler.wait(recordDelayMs);
    this.#effects.started(run);
    await this.#effects.register();
  }

  /** For effects that stand on the due list: what fails here, the alarm tries again. */
  #inBackground(effect: Promise<void>): void {
    this.ctx.waitUntil(effect.catch(() => undefined));
  }

  #armAlarm(): void {
    this.ctx.waitUntil(this.#due.arm());
  }

  #prepare(): void {
    applyMigrations(this.ctx.storage, threadMigrations);
    this.#opened = true;
  }

  #thread(): ThreadRow | null {
    return this.#opened ? this.#store.thread() : null;
  }
}

function toProject(thread: ThreadRow): ThreadProject {
  const { id, name, latestRunId, createdAt, updatedAt } = thread;
  return { id, name, latestRunId, createdAt, updatedAt };
}

function toThreadRun(run: StoredRun): ThreadRun {
  const { runId, runIndex, parentRunId, writable, spec, view } = run;
  return { runId, runIndex, parentRunId, writable, view: { ...view, spec } };
}

function makeRun(
  thread: ThreadRow,
  request: NewRun,
  place: { readonly runIndex: number; readonly parentRunId: string | null },
  maxAttempts: number,
): StoredRun {
  const { runIndex, parentRunId } = place;
  const spec = RunSpec.parse({
    ...request,
    orgId: thread.orgId,
    projectId: thread.id,
    runIndex,
    parentRunId,
    maxAttempts,
    createdAt: request.now,
  });
  return {
    runId: spec.runId,
    runIndex,
    parentRunId,
    writable: true,
    fingerprint: request.fingerprint,
    spec,
    view: viewOfNewRun(request.now),
    over: false,
    releasedAt: null,
    heardAt: request.now,
    workspace: null,
  };
}
