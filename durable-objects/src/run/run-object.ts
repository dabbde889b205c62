import type {
  RunSpec,
  RunView,
  SessionRun,
  UploadComplete,
  UploadKind,
  WebhookEvent,
} from "@millrace/contracts";
import { runMigrations } from "@millrace/migrations";
import { DurableObject } from "cloudflare:workers";
import { applyMigrations } from "../migrate.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { Alarm } from "../log/alarm.ts";
import { pageOf } from "../log/log-rows.ts";
import { readQuotas } from "../quotas.ts";
import { signRunToken } from "../run-token.ts";
import { decideCancel } from "./decide-cancel.ts";
import { isCurrent, mayStart } from "./decide-dispatch.ts";
import type { SessionNews } from "./decide-session-report.ts";
import { openRun, type OpenRun } from "./open-run.ts";
import type { Release } from "./release.ts";
import { owe } from "./run-record.ts";
import {
  runSocketPaths,
  type Refusal,
  type RunLogEntry,
  type RunLogPage,
  type RunReport,
  type RunRpc,
  type UploadGrant,
} from "./run-rpc.ts";
import { isInCluster, resumeRun, revokeTokens, stopRun, takeReport } from "./session-acts.ts";
import { createdState } from "./state.ts";
import { takeInput, type InputAnswer, type InputAsk } from "./take-input.ts";
import { offerAttempt } from "./sessions.ts";
import { RunStore } from "./store.ts";
import { readTimings, timingsOf } from "./timings.ts";
import { answerDue, performEffect } from "./answer-due.ts";

const notFound = { ok: false, code: "not_found" } as const;

/**
 * One run: its log, its lease and its end. A thin shell: it loads, asks a decision, commits, answers. What is decided
 * stands in decide-*.ts, what is written in draft.ts and run-record.ts.
 */
export class RunObject extends DurableObject<PlatformEnv> implements RunRpc {
  readonly #store: RunStore;
  #run: OpenRun | null = null;
  #alarm: Alarm;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    this.#store = new RunStore(ctx.storage);
    this.#alarm = new Alarm(ctx.storage, null);
    void ctx.blockConcurrencyWhile(async () => {
      if (!this.#store.exists()) return;
      applyMigrations(ctx.storage, runMigrations);
      const spec = this.#store.loadSpec();
      // A new object has no alarm, and its first caller waits.
      if (spec === null) return;
      this.#alarm = new Alarm(ctx.storage, await ctx.storage.getAlarm());
      this.#run = this.#open(spec);
    });
  }

  async init(spec: RunSpec, release?: Release): Promise<void> {
    if (this.#run !== null) {
      if (release !== undefined) this.#release(this.#run, release);
      return;
    }
    const now = Date.now();
    const offered = release === undefined ? null : this.#offerFirst(spec);
    // Not before: asking for a run that is not there must not make storage.
    applyMigrations(this.ctx.storage, runMigrations);
    this.#store.save("spec", spec);
    const run = this.#open(spec);
    const draft = run.record.draft(now);
    const { runIndex, kind } = spec;
    draft.apply({
      state: createdState(now),
      events: [{ type: "run.queued", data: { runIndex, kind } }],
    });
    owe(draft, ["index"], draft.tail);
    if (release !== undefined) draft.releaseTo(release);
    if (offered !== null) run.outbox.offeredFirst(offered);
    run.record.commit(draft);
    this.#run = run;
  }

  async redispatch(attempt: number): Promise<void> {
    const run = this.#run;
    if (run === null) return;
    const { state } = run.record;
    if (state.stage.kind === "dispatched" && state.attempt === attempt) {
      await run.outbox.offer(attempt);
    }
  }

  async cancel(
    by: string,
  ): Promise<{ readonly ok: true; readonly view: RunView } | Refusal<"not_found">> {
    const run = this.#run;
    if (run === null) return notFound;
    // What the runner sent before this moment counts: a success that has arrived is the outcome.
    run.runners.flush();
    const draft = run.record.draft(Date.now());
    const { cancelForceMs: forceMs, cancelAckMs } = run.timings;
    const ackMs = isInCluster(run) ? cancelAckMs : null;
    const change = decideCancel(draft.state, { by, now: draft.now, forceMs, ackMs });
    if (change !== null) {
      draft.apply(change);
      run.record.commit(draft);
    }
    return { ok: true, view: run.record.view() };
  }

  async stop(): Promise<boolean> {
    return this.#run !== null && stopRun(this.#run);
  }

  async resume(by: string): Promise<boolean> {
    return this.#run !== null && resumeRun(this.#run, by);
  }

  async input(ask: InputAsk): Promise<InputAnswer | Refusal<"not_found">> {
    return this.#run === null ? notFound : takeInput(this.#run, this.#store, ask);
  }

  async sessionReport(pool: string, report: SessionNews): Promise<void> {
    if (this.#run?.record.spec.pool === pool) takeReport(this.#run, report);
  }

  async sessionRun(pool: string): Promise<SessionRun | null> {
    return this.#run?.record.spec.pool === pool ? this.#run.sessions.view() : null;
  }

  async renewToken(attempt: number): Promise<string | null> {
    if (this.#run === null || !mayStart(this.#run.record.state, attempt)) return null;
    const { orgId: org, runId: run } = this.#run.record.spec;
    return signRunToken({ org, run, attempt }, this.env.RUN_TOKEN_SECRET, Date.now());
  }

  async revokeTokens(): Promise<boolean> {
    return this.#run !== null && revokeTokens(this.#run);
  }

  async view(): Promise<({ readonly ok: true } & RunReport) | Refusal<"not_found">> {
    const run = this.#run;
    if (run === null) return notFound;
    await run.outbox.price();
    return { ok: true, view: run.record.view(), workspace: run.record.state.workspace };
  }

  async archivedLog(): Promise<RunLogEntry | null> {
    const run = this.#run;
    const manifest = run?.archive.manifest ?? null;
    if (run === null || manifest === null) return null;
    return { projectId: run.record.spec.projectId, manifest };
  }

  async readLog(
    after: number,
    chars: number,
  ): Promise<RunLogPage | Refusal<"not_found" | "archived">> {
    const run = this.#run;
    if (run === null) return notFound;
    if (run.archive.manifest !== null) return { ok: false, code: "archived" };
    const { spec, state, tail } = run.record;
    const { text } = pageOf(this.#store, after + 1, chars);
    const over = state.stage.kind === "over";
    return { ok: true, projectId: spec.projectId, over, tail: tail.seq, rows: text };
  }

  async grantUpload(attempt: number, kind: UploadKind): Promise<UploadGrant> {
    return this.#run?.uploads.grant(attempt, kind) ?? notFound;
  }

  async uploadOpened(attempt: number, key: string, uploadId: string): Promise<void> {
    this.#run?.uploads.opened(attempt, key, uploadId);
  }

  async uploadStored(
    attempt: number,
    uploadId: string,
    stored: UploadComplete,
  ): Promise<{ readonly ok: true } | Refusal<"not_found" | "fenced" | "run_over">> {
    return this.#run?.uploads.stored(attempt, uploadId, stored) ?? notFound;
  }

  async uploadAborted(uploadId: string): Promise<void> {
    this.#run?.uploads.aborted(uploadId);
  }

  async redeliver(seq: number, type: WebhookEvent): Promise<void> {
    this.#run?.outbox.owe(seq, type);
  }

  async mayUse(attempt: number): Promise<boolean> {
    return this.#run !== null && isCurrent(this.#run.record.state, attempt);
  }

  async startBundle(attempt: number): Promise<string | null> {
    if (!(await this.mayUse(attempt))) return null;
    return this.#run?.record.release()?.workspace?.bundleKey ?? null;
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (this.#run === null) return refuseSocket();
    if (request.headers.get("upgrade") !== "websocket") return refuseSocket(426);
    if (pathname === runSocketPaths.read) return this.#read(this.#run, searchParams);
    if (pathname === runSocketPaths.attach) return this.#attach(this.#run, searchParams);
    return refuseSocket();
  }

  #read(run: OpenRun, query: URLSearchParams): Response {
    if (query.get("projectId") !== run.record.spec.projectId) return refuseSocket();
    const after = Number(query.get("after") ?? 0);
    if (!Number.isSafeInteger(after) || after < 0) return refuseSocket(400);
    if (run.archive.manifest !== null) return refuseSocket(410);
    if (run.readers.count >= readQuotas(this.env).LIMIT_READERS_PER_LOG) {
      return refuseSocket(429);
    }
    return run.readers.accept(this.ctx, after, query.get("marks") === "1");
  }

  #attach(run: OpenRun, query: URLSearchParams): Response {
    const { orgId, runId } = run.record.spec;
    const attempt = Number(query.get("attempt"));
    const isOurs = query.get("org") === orgId && query.get("run") === runId;
    if (!isOurs || !Number.isSafeInteger(attempt)) return refuseSocket();
    return run.runners.accept(this.ctx, attempt, Date.now());
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const run = this.#run;
    if (run === null || typeof message !== "string") return;
    if (run.runners.has(socket)) run.runners.receive(socket, message);
    else run.readers.consumed(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    this.#forget(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#forget(socket);
  }

  /** Never throws: an alarm that fails six times is gone for good, and the run with it. */
  override async alarm(): Promise<void> {
    if (this.#run === null) return;
    try {
      const effects = answerDue(this.#run, this.#store, this.#alarm);
      // Not awaited: the next alarm comes after this one's end, and who does not answer must not hold up a lease.
      for (const item of effects) this.ctx.waitUntil(performEffect(this.#run, item));
    } catch {
      this.#alarm.set(Date.now() + 5_000);
    }
  }

  /**
   * Before anything is written: what leaves an object waits until the writes before it are on disk, and the runner can be on
   * its way meanwhile. If the object dies here, the runner finds nothing to claim, and the thread's alarm begins again.
   */
  #offerFirst(spec: RunSpec): Promise<void> | null {
    if (this.env.DISPATCH_FAST_PATH === "off") return null;
    const answer = offerAttempt(this.env, spec, 1);
    this.ctx.waitUntil(answer.catch(() => undefined));
    return answer;
  }

  #release({ record }: OpenRun, release: Release): void {
    if (record.state.stage.kind !== "created") return;
    const draft = record.draft(Date.now());
    draft.releaseTo(release);
    record.commit(draft);
  }

  #open(spec: RunSpec): OpenRun {
    const { ctx, env } = this;
    const parts = { spec, ctx, env, store: this.#store, alarm: this.#alarm };
    return openRun(parts, timingsOf(spec, readTimings(env)));
  }

  #forget(socket: WebSocket): void {
    if (this.#run?.runners.has(socket)) this.#run.runners.closed(socket);
    else this.#run?.readers.closed(socket);
  }
}

function refuseSocket(status = 404): Response {
  return Response.json({ code: "not_found" }, { status });
}
