import type { Claimed, Outcome } from "@millrace/contracts";
import { AttemptFenced, LeaseLost, type Attempt, type AttemptEvent } from "../attempt/attempt.ts";

/** An attempt that keeps what it is given, and whose lease, cancel and fence a test holds in its hand. */
export class MemoryAttempt implements Attempt {
  readonly claimed: Claimed;
  readonly steps: readonly unknown[];
  /** All events in order. */
  readonly events: AttemptEvent[] = [];
  /** Steps of this attempt. What a next attempt would be given: `steps` and these. */
  readonly newSteps: unknown[] = [];
  outcome: Outcome | undefined;
  /** Called after each event; where a test interferes. */
  onEvent: (event: AttemptEvent) => void = () => undefined;
  readonly #stop = new AbortController();
  #lease = new AbortController();
  #regained: PromiseWithResolvers<void> | undefined;

  constructor(claimed: Claimed, steps: readonly unknown[] = []) {
    this.claimed = claimed;
    this.steps = steps;
  }

  get allSteps(): readonly unknown[] {
    return [...this.steps, ...this.newSteps];
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  emit(event: AttemptEvent): void {
    if (this.outcome) throw new Error(`${event.type} after the outcome`);
    this.events.push(event);
    this.onEvent(event);
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  async commit(events: readonly AttemptEvent[], step?: unknown): Promise<void> {
    if (this.#isFenced()) throw new AttemptFenced("fenced");
    for (const event of events) this.emit(event);
    // A step travels as JSON.
    if (step !== undefined) this.newSteps.push(JSON.parse(JSON.stringify(step)));
    await new Promise((resolve) => setImmediate(resolve));
  }

  async finish(outcome: Outcome, events: readonly AttemptEvent[] = []): Promise<void> {
    await this.commit(events);
    this.outcome = outcome;
  }

  async ready(): Promise<void> {
    await this.#regained?.promise;
    if (this.#isFenced()) throw new AttemptFenced("fenced");
  }

  holdsLease(): boolean {
    return this.#regained === undefined;
  }

  workSignal(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, this.#lease.signal]);
  }

  token(): string {
    return "run-token";
  }

  /** Ends it for good, for the reason given. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
  }

  loseLease(): void {
    this.#regained = Promise.withResolvers();
    this.#lease.abort(new LeaseLost("lease lost"));
  }

  regainLease(): void {
    this.#lease = new AbortController();
    this.#regained?.resolve();
    this.#regained = undefined;
  }

  #isFenced(): boolean {
    return this.#stop.signal.reason instanceof AttemptFenced;
  }
}

/** The answer to a claim, for a run with this prompt. */
export function makeClaimed(prompt: string, changes: Partial<Claimed> = {}): Claimed {
  return {
    type: "claimed",
    attempt: 1,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    tail: 1,
    producerSeq: 0,
    spec: {
      orgId: "00000000-0000-7000-8000-000000000001",
      projectId: "project",
      runId: "0199f000-0000-7000-8000-000000000001",
      runIndex: 1,
      parentRunId: null,
      kind: "run",
      prompt,
      input: null,
      provider: null,
      model: null,
      workspaceBackend: "host",
      pool: "default",
      maxAttempts: 3,
      idempotencyKey: "key",
      createdAt: 0,
      owner: null,
      session: null,
      repos: [],
      needsOwnPod: false,
      interactive: false,
      keepOpen: false,
      timeoutSeconds: null,
      startDeadlineSeconds: null,
      traceparent: null,
    },
    failures: 0,
    elapsedMs: 0,
    conversation: [],
    workspace: null,
    stepCount: 0,
    interruptedCalls: [],
    cancel: false,
    token: "run-token",
    ...changes,
  };
}
