import { DurableObject } from "cloudflare:workers";
import {
  type LogFollow,
  RunnerToPool,
  type SessionRun,
  type SessionStop,
} from "@millrace/contracts";
import { poolMigrations } from "@millrace/migrations";
import { applyMigrations } from "../migrate.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { CommandStore } from "./command-store.ts";
import { Commands } from "./commands.ts";
import { decideEnqueue } from "./decide-enqueue.ts";
import { Matching, send } from "./matching.ts";
import { hearOperator } from "./hear-operator.ts";
import { Operators, tell } from "./operators.ts";
import { operatorSocketPath, poolSocketPath } from "./pool-rpc.ts";
import type { PoolRpc, PoolView, WaitingRun } from "./pool-rpc.ts";
import { Runners, newRunner, readPlace } from "./runners.ts";
import type { Runner } from "./state.ts";
import { PoolStore } from "./store.ts";
import { WarmPods } from "./warm-pods.ts";
import { runStub } from "../stubs.ts";
import { warmTokenTtlMs } from "../warm-token.ts";

/** A run that nobody took is dropped after this long; its object asks again if it still wants a runner. */
const forgetMs = 24 * 60 * 60_000;

/** When somebody who had joined was last gone: the pool's last sign of life once nobody is connected. */
const leftKey = "leftAt";

type Message<Type extends RunnerToPool["type"]> = Extract<RunnerToPool, { readonly type: Type }>;

/**
 * Brings waiting runs and connected runners together, and has the operator of a cluster start sessions for runs that want
 * one. It only matches: who executes is decided by the claim at the run object, so whatever a pool forgets or does twice
 * costs time, never a run.
 */
export class PoolObject extends DurableObject<PlatformEnv> implements PoolRpc {
  readonly #store: PoolStore;
  readonly #runners: Runners;
  readonly #matching: Matching;
  readonly #operators: Operators;
  readonly #outbox: CommandStore;
  readonly #commands: Commands;
  readonly #warmPods: WarmPods;
  /** Where the alarm is known to stand; null after a restart, when it is set anew. */
  #alarmAt: number | null = null;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    this.#store = new PoolStore(ctx.storage);
    this.#runners = new Runners(ctx.getWebSockets());
    this.#matching = new Matching(this.#store, this.#runners, env.RUN_TOKEN_SECRET);
    this.#operators = new Operators(ctx.getWebSockets());
    this.#outbox = new CommandStore(ctx.storage);
    this.#commands = new Commands(this.#outbox, this.#operators, env.RUN_TOKEN_SECRET);
    this.#warmPods = new WarmPods(ctx.storage);
    applyMigrations(ctx.storage, poolMigrations);
    this.#store.keepOffersOf(this.#runners.all().map((runner) => runner.runnerId));
  }

  async enqueue(run: WaitingRun): Promise<void> {
    const token = await this.#matching.sign(run);
    const waiting = this.#store.waiting(run.runId);
    switch (decideEnqueue(waiting?.attempt ?? null, run.attempt)) {
      case "stale":
        return;
      case "known":
        this.#store.forgiveSilence(run.runId);
        // With a session under way no warm runner is asked: two pods would be one attempt's.
        if (this.#store.isStarted(run.runId)) this.#startSession(run);
        else if (!this.#store.offer(run.runId)) this.#place(run, token);
        break;
      case "replace":
        this.#matching.drop(run.runId);
        this.#store.insertWaiting(run, Date.now());
        this.#place(run, token);
        break;
      case "wait":
        this.#placeNew(run, token);
        break;
    }
    if (run.spec) await this.#commands.send();
    this.#armAlarm();
  }

  async withdraw(runId: string, claimedBy: string | null): Promise<void> {
    const run = this.#store.waiting(runId);
    const offer = this.#store.offer(runId);
    this.#matching.drop(runId);
    this.#commands.withdraw(runId);
    // The claim has overtaken its accept.
    const takenBy = claimedBy ?? offer?.runnerId;
    if (!run || takenBy === undefined) return;
    this.#taken(run, takenBy);
    await this.#offerWaiting();
  }

  async stopSession(stop: Omit<SessionStop, "type" | "key">): Promise<void> {
    this.#commands.stop(stop);
    await this.#commands.send();
    this.#armAlarm();
  }

  async runChanged(run: SessionRun): Promise<void> {
    for (const socket of this.#operators.sockets()) tell(socket, { type: "run.changed", run });
  }

  async followLog(log: Omit<LogFollow, "type">): Promise<boolean> {
    const leader = this.#operators.leader();
    return leader !== null && tell(leader, { type: "log.follow", ...log });
  }

  async disband(): Promise<void> {
    for (const socket of this.ctx.getWebSockets()) {
      await this.#refuse(socket, "the pool has been deleted");
    }
  }

  async view(): Promise<PoolView> {
    const runners = this.#runners.view();
    const { lastSeenAt, ...led } = this.#operators.view();
    const left = this.ctx.storage.kv.get<number>(leftKey) ?? 0;
    const latest = Math.max(lastSeenAt ?? 0, runners.lastSeenAt ?? 0, left);
    const waiting = this.#store.waitingCount();
    return { waiting, runners, ...led, lastSeenAt: latest > 0 ? latest : null };
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const isOperator = pathname === operatorSocketPath;
    if (!isOperator && pathname !== poolSocketPath) return new Response(null, { status: 404 });
    if (request.headers.get("Upgrade") !== "websocket") return new Response(null, { status: 426 });
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const at = { orgId: searchParams.get("orgId") ?? "", pool: searchParams.get("pool") ?? "" };
    if (isOperator) this.#operators.connect(server, at);
    else this.#runners.connect(server, { ...at, warm: readPlace(searchParams.get("warm")) });
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): Promise<void> {
    if (this.#operators.has(socket)) return this.#hearOperator(socket, text);
    const message = parseMessage(text);
    if (!message) return this.#refuse(socket, "not a message of the pool protocol");
    if (message.type === "hello") return this.#greet(socket, message);
    const runner = this.#runners.runner(socket);
    if (!runner) return this.#refuse(socket, "say hello first");
    this.#runners.heard(socket, Date.now());
    switch (message.type) {
      case "status":
        this.#runners.save(socket, this.#warmPods.bounded({ ...runner, free: message.free }));
        this.#store.forgiveRunner(runner.runnerId);
        return this.#offerWaiting();
      case "accept":
        return this.#take(socket, runner, message);
      case "decline":
        return this.#passOn(socket, runner, message);
    }
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    await this.#leave(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#leave(socket);
  }

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    const now = Date.now();
    for (const offer of this.#store.offersPastDeadline(now)) {
      this.#matching.revoke(offer);
      this.#store.insertRefusal(offer.runId, offer.runnerId, "silent");
    }
    for (const runId of this.#store.prune(now - forgetMs)) this.#matching.drop(runId);
    this.#outbox.forget(now - forgetMs);
    this.#warmPods.forget(now - warmTokenTtlMs);
    this.#armAlarm();
    await this.#offerWaiting();
  }

  /** The newest socket of a runner counts; what was offered on an older one may never have arrived. */
  async #greet(socket: WebSocket, hello: Message<"hello">): Promise<void> {
    const { runnerId } = hello;
    const older = this.#runners.socketOf(runnerId);
    if (older && older !== socket) {
      this.#runners.disconnect(older);
      older.close(1000, "replaced by a newer socket of this runner");
    }
    this.#store.removeOffersOf(runnerId);
    this.#store.forgiveRunner(runnerId);
    const runner = newRunner(hello, this.#runners.placeOf(socket).warm);
    const seen = { version: hello.version, lastSeenAt: Date.now() };
    const place = this.#runners.join(socket, this.#warmPods.admit(runner, seen.lastSeenAt), seen);
    if (!place) return;
    send(socket, { type: "welcome", ...place });
    await this.#offerWaiting();
  }

  /** Accepted. An accept after the deadline counts as well: that runner is on its way to the claim. */
  #take(socket: WebSocket, runner: Runner, { runId, attempt }: Message<"accept">): void {
    if (this.#warmPods.isSpent(runner)) return;
    const run = this.#store.waiting(runId);
    const taken = { runId, attempt };
    this.#runners.save(socket, { ...runner, free: Math.max(runner.free - 1, 0), taken });
    if (run?.attempt !== attempt) return;
    this.#matching.drop(runId, runner.runnerId);
    this.#taken(run, runner.runnerId);
    this.ctx.waitUntil(this.#commands.send());
  }

  /** A runner has the run. The pod of a warm one becomes the run's session. */
  #taken(run: WaitingRun, runnerId: string): void {
    if (run.spec === undefined) {
      return this.#store.saveHolder(run.projectId, runnerId, Date.now());
    }
    const podName = this.#warmPods.spend(runnerId);
    if (podName !== null) this.#commands.start(run, run.spec, { runnerId, podName });
  }

  /** Written after the offer is sent: a user waits for it, and it would wait for the disk. */
  #placeNew(run: WaitingRun, token: string): void {
    const isOffered = this.#matching.offer(run, token);
    this.#store.insertWaiting(run, Date.now());
    if (!isOffered) this.#startSession(run);
  }

  #place(run: WaitingRun, token: string): void {
    if (!this.#matching.offer(run, token)) this.#startSession(run);
  }

  /** No warm runner can take it. */
  #startSession(run: WaitingRun): void {
    if (run.spec === undefined) return;
    this.#store.markStarted(run.runId);
    this.#commands.start(run, run.spec);
  }

  async #hearOperator(socket: WebSocket, text: string | ArrayBuffer): Promise<void> {
    const parts = { env: this.env, operators: this.#operators, commands: this.#commands };
    const heard = await hearOperator(socket, text, parts);
    if (!heard) return this.#refuse(socket, "not a message of the operator protocol");
    this.#armAlarm();
  }

  /** Declined: the next runner is asked at once. */
  async #passOn(
    socket: WebSocket,
    runner: Runner,
    { runId, attempt, reason }: Message<"decline">,
  ): Promise<void> {
    // Whatever the pool believed, this runner has no slot before its next status.
    const hasNoSlot = reason === "full" || reason === "draining";
    if (hasNoSlot) this.#runners.save(socket, { ...runner, free: 0 });
    const offer = this.#store.offer(runId);
    if (offer?.attempt !== attempt || offer.runnerId !== runner.runnerId) return;
    this.#store.removeOffer(runId);
    this.#store.insertRefusal(runId, runner.runnerId, reason);
    await this.#offerWaiting();
  }

  #refuse(socket: WebSocket, reason: string): Promise<void> {
    socket.close(1008, reason);
    return this.#leave(socket);
  }

  /** A runner that is gone answers no offer: the next is asked at once. */
  async #leave(socket: WebSocket): Promise<void> {
    const isKnown = this.#operators.place(socket) ?? this.#runners.runner(socket);
    if (isKnown !== null) this.ctx.storage.kv.put(leftKey, Date.now());
    this.#operators.disconnect(socket);
    const { orgId } = this.#runners.placeOf(socket);
    const runner = this.#runners.disconnect(socket);
    if (!runner) return;
    this.#store.removeOffersOf(runner.runnerId);
    await this.#offerWaiting();
    if (runner.kind !== "warm" || !runner.taken) return;
    // It may have died before its claim; a run that has been claimed takes no notice.
    const { runId, attempt } = runner.taken;
    await runStub(this.env, orgId, runId)
      .redispatch(attempt)
      .catch(() => undefined);
  }

  async #offerWaiting(): Promise<void> {
    await this.#matching.offerWaiting();
    // Whom a warm runner would not take, gets a session of its own.
    for (const run of this.#store.unoffered()) this.#startSession(run);
    await this.#commands.send();
    this.#armAlarm();
  }

  /** One alarm for deadlines and forgetting. An early one is left where it is: it finds nothing to do. */
  #armAlarm(): void {
    const at = earliest(this.#store.nextDue(forgetMs), this.#commands.nextAt());
    if (at === null || (this.#alarmAt !== null && this.#alarmAt <= at)) return;
    this.#alarmAt = at;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(at));
  }
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function parseMessage(text: string | ArrayBuffer): RunnerToPool | null {
  if (typeof text !== "string") return null;
  try {
    return RunnerToPool.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
