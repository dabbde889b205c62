import type { Claimed, Outcome, Step } from "@millrace/contracts";
import type { EdgeClient } from "../edge/edge-client.ts";
import type { LeaseClock } from "../edge/lease-clock.ts";
import type { Awaited, Draft, Outbox } from "../edge/outbox.ts";
import type { FinalRefusal, RunSocket } from "../edge/run-socket.ts";
import type { Logger } from "../log.ts";
import {
  AttemptFenced,
  CancelRequested,
  DrainRequested,
  type Attempt,
  type AttemptEvent,
} from "./attempt.ts";
import { DeltaJoiner } from "./delta-joiner.ts";
import { splitEvent, storeEventBody } from "./event-body.ts";
import { LeaseGuard } from "./lease-guard.ts";
import { storeStepBody } from "./step-body.ts";

export interface AttemptParts {
  readonly claimed: Claimed;
  readonly steps: readonly unknown[];
  readonly socket: RunSocket;
  readonly outbox: Outbox;
  readonly lease: LeaseClock;
  readonly edge: EdgeClient;
  readonly log: Logger;
}

interface Waiter {
  readonly producerSeq: number;
  readonly promise: PromiseWithResolvers<void>;
}

/** A frame to be: its events may still have their whole data beside them. */
interface AttemptDraft extends Omit<Draft, "events"> {
  readonly events: readonly AttemptEvent[];
}

/** An attempt that was claimed over a socket. */
export class LiveAttempt implements Attempt {
  readonly claimed: Claimed;
  readonly steps: readonly unknown[];
  readonly #parts: AttemptParts;
  readonly #end = new AbortController();
  readonly #guard: LeaseGuard;
  readonly #joiner = new DeltaJoiner();
  #joinTimer: NodeJS.Timeout | undefined;
  #nextStep: number;
  #waiting: Waiter[] = [];
  #roomWaiting: PromiseWithResolvers<void>[] = [];
  /** Ends what must go on through a cancel or a drain: the reports. */
  readonly #fence = new AbortController();
  #finishing = false;
  #outcome: Outcome | undefined;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.claimed = parts.claimed;
    this.steps = parts.steps;
    this.#nextStep = parts.claimed.stepCount + 1;
    this.#guard = new LeaseGuard(parts.lease, this.signal, () => this.#leaseLost());
    parts.socket.listen({
      onLease: () => this.#guard.renewed(),
      onAcked: (producerSeq) => this.#acked(producerSeq),
      onCancel: () => this.#stop(new CancelRequested("the run was cancelled")),
      onStop: () => this.#stop(new DrainRequested("the run is to pause", "stopped")),
      onRefused: (refusal) => this.#refused(refusal),
    });
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Aborts only when the platform takes nothing more: what must outlast a cancel (archives) hangs on this. */
  get fenced(): AbortSignal {
    return this.#fence.signal;
  }

  /** May anything still be appended? */
  get isOpen(): boolean {
    return !this.#fence.signal.aborted && !this.#finishing;
  }

  /** What the platform was told in the end; undefined: it was not told. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  emit(event: AttemptEvent): void {
    if (!this.isOpen) return;
    this.#append(this.#joiner.push(event, performance.now()));
    this.#planJoin();
  }

  async room(): Promise<void> {
    this.#fence.signal.throwIfAborted();
    // Whoever closes an attempt that was cancelled or drained must not wait for room to say so.
    if (this.#parts.outbox.hasRoom() || this.signal.aborted) return;
    const waiter = Promise.withResolvers<void>();
    this.#roomWaiting.push(waiter);
    await waiter.promise;
  }

  commit(events: readonly AttemptEvent[], step?: unknown): Promise<void> {
    if (this.#fence.signal.aborted) return rejected(this.#fence.signal.reason);
    if (this.#finishing) return rejected(new Error("the attempt's last frame was already sent"));
    this.#appendJoined();
    if (step === undefined) return this.#durableAt(this.#enqueue({ events }));
    const n = this.#nextStep;
    this.#nextStep += 1;
    return this.#durableAt(this.#appendStep(events, n, JSON.stringify(step)));
  }

  async finish(outcome: Outcome, events: readonly AttemptEvent[] = []): Promise<void> {
    this.#fence.signal.throwIfAborted();
    if (this.#finishing) throw new Error("the attempt's last frame was already sent");
    this.#appendJoined();
    this.#finishing = true;
    await this.#durableAt(this.#enqueue({ events, outcome }));
    this.#outcome = outcome;
    this.close();
  }

  ready(): Promise<void> {
    if (this.#fence.signal.aborted) return rejected(this.#fence.signal.reason);
    return this.#guard.ready();
  }

  holdsLease(): boolean {
    return this.#guard.holds();
  }

  workSignal(): AbortSignal {
    return this.#guard.workSignal();
  }

  token(): string {
    return this.#parts.socket.token();
  }

  /** The runner is shutting down: the work stops and the run is handed back. */
  drain(): void {
    this.#stop(new DrainRequested("the runner is shutting down"));
  }

  /** Lets go of lease and socket. What was not acked is lost; only `finish` and a fenced attempt come here in order. */
  close(): void {
    clearTimeout(this.#joinTimer);
    this.#guard.end();
    this.#parts.socket.close();
  }

  #append(events: readonly AttemptEvent[]): void {
    if (events.length === 0) return;
    this.#enqueue({ events });
    this.#parts.socket.pump();
  }

  #appendJoined(): void {
    clearTimeout(this.#joinTimer);
    this.#joinTimer = undefined;
    this.#append(this.#joiner.take(performance.now()));
  }

  #planJoin(): void {
    const dueMs = this.#joiner.dueInMs(performance.now());
    if (dueMs === undefined || this.#joinTimer) return;
    this.#joinTimer = setTimeout(() => this.#appendJoined(), dueMs);
  }

  /** Into the outbox; what is too large for a frame goes to blob storage, and the frame waits for it. */
  #enqueue(draft: AttemptDraft): number {
    const { outbox, edge } = this.#parts;
    const split = draft.events.map(splitEvent);
    const bodies = split.flatMap(({ body }) => (body ? [{ body, bytes: body.bytes.length }] : []));
    const events = split.map(({ event }) => event);
    const awaits = [...(draft.awaits ?? []), ...bodies];
    const producerSeq = outbox.append({ ...draft, events, awaits });
    for (const awaited of bodies) {
      const stored = storeEventBody(edge, awaited.body, this.#fence.signal);
      this.#releaseWhen(stored, producerSeq, awaited);
    }
    return producerSeq;
  }

  #appendStep(events: readonly AttemptEvent[], n: number, body: string): number {
    const stored = storeStepBody(this.#parts.edge, body, this.#fence.signal);
    if (typeof stored === "string") return this.#enqueue({ events, step: { n, body: stored } });
    const awaited = { bytes: body.length };
    const producerSeq = this.#enqueue({ events, awaits: [awaited] });
    const step = stored.then((pointer) => ({ n, body: pointer }));
    this.#releaseWhen(step, producerSeq, awaited);
    return producerSeq;
  }

  #releaseWhen(stored: Promise<Step | void>, producerSeq: number, awaited: Awaited): void {
    const { outbox, socket, log } = this.#parts;
    const release = (step: Step | void): void => {
      if (step) outbox.stored(producerSeq, awaited, step);
      else outbox.stored(producerSeq, awaited);
      socket.pump();
    };
    stored.then(release, (error: unknown) => {
      if (this.#fence.signal.aborted) return;
      log.error("a step or an event could not be stored", { error });
      this.#refused("denied");
    });
  }

  /** The very promise that is handed out: one that nobody awaits must not bring the process down. */
  #durableAt(producerSeq: number): Promise<void> {
    const promise = Promise.withResolvers<void>();
    promise.promise.catch(() => undefined);
    this.#waiting.push({ producerSeq, promise });
    this.#parts.socket.pump();
    return promise.promise;
  }

  #acked(producerSeq: number): void {
    while ((this.#waiting[0]?.producerSeq ?? Infinity) <= producerSeq) {
      this.#waiting.shift()?.promise.resolve();
    }
    if (this.#parts.outbox.hasRoom()) this.#releaseRoom();
  }

  #releaseRoom(): void {
    for (const waiter of this.#roomWaiting.splice(0)) waiter.resolve();
  }

  #leaseLost(): void {
    this.#parts.log.warn("lease lost; work stops until the attempt is claimed again");
    this.#parts.socket.reclaim();
  }

  #stop(reason: CancelRequested | DrainRequested): void {
    if (this.signal.aborted) return;
    this.#parts.log.info("attempt is stopping", { reason: reason.name });
    this.#end.abort(reason);
    this.#releaseRoom();
  }

  #refused(refusal: FinalRefusal): void {
    // The run ended while the ack of the last frame was lost: there is nothing left to say.
    if (refusal === "run_over" && this.#parts.outbox.outcomeWasSent()) {
      for (const waiter of this.#waiting.splice(0)) waiter.promise.resolve();
      return;
    }
    this.#parts.log.warn("attempt is fenced", { refusal });
    const reason = new AttemptFenced(
      `the platform takes nothing more from this attempt: ${refusal}`,
    );
    this.#fence.abort(reason);
    this.close();
    this.#end.abort(reason);
    for (const waiter of this.#waiting.splice(0)) waiter.promise.reject(reason);
    for (const waiter of this.#roomWaiting.splice(0)) waiter.reject(reason);
  }
}

/** Like the promises of `#durableAt`: harmless when nobody looks. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => undefined);
  return promise;
}
