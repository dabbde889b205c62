import type { Offer, Opening } from "@millrace/contracts";
import { claimAttempt } from "./attempt/claim-attempt.ts";
import type { LiveAttempt } from "./attempt/live-attempt.ts";
import { workOn, type Execute } from "./attempt/work-on.ts";
import { decideOffer } from "./decide-offer.ts";
import { PoolSocket, type Hello } from "./edge/pool-socket.ts";
import type { Logger } from "./log.ts";
import type { ServedOrg } from "./served-org.ts";
import { Slots } from "./slots.ts";

export interface RunnerOptions {
  readonly runnerId: string;
  readonly version: string;
  readonly edgeUrl: string;
  readonly pool: string;
  /** Asked at each connect: the file that holds it may be renewed. */
  readonly poolToken: () => string;
  readonly slots: number;
  /** Set for an idle pod that is to become one session; it takes one run, and then calls `onSpent`. */
  readonly warm?: { readonly podName: string | undefined; readonly onSpent: () => void };
  readonly servedOrg: ServedOrg;
  readonly log: Logger;
  /** Works on a claimed attempt until it is finished or fenced. Throws only for a bug. */
  readonly execute: Execute;
  /** What the engine would say first of a run that nobody has begun. */
  readonly opening?: Opening;
}

/** The claim goes first: a user waits for it, and the pool's offer stands for seconds. */
const acceptDelayMs = 50;

/** Takes offers as long as there are slots, and executes each attempt in one of them. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #pool: PoolSocket;
  readonly #slots: Slots;
  readonly #executions = new Set<Promise<void>>();
  readonly #attempts = new Set<LiveAttempt>();
  /** Aborts when attempts must hand back what they have; claims that are not answered yet are given up. */
  readonly #handBack = new AbortController();
  #draining = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.slots);
    this.#pool = new PoolSocket({
      edgeUrl: options.edgeUrl,
      pool: options.pool,
      token: options.poolToken,
      hello: () => this.#hello(),
      onOffer: (offer) => this.#offered(offer),
      log: options.log,
    });
  }

  start(): void {
    this.#pool.open();
  }

  /** Takes no more offers; resolves when nothing is executing any more. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#sayFree();
    // A pod that is to go does not wait for its run's end: another one goes on with it at once.
    if (this.#options.warm) this.handBack();
    while (this.#executions.size > 0) await Promise.all(this.#executions);
    this.#pool.close();
  }

  /** The attempts that are still at work stop, and hand their runs back. */
  handBack(): void {
    this.#handBack.abort();
    for (const attempt of this.#attempts) attempt.drain();
  }

  #hello(): Hello {
    const { runnerId, version, slots, warm } = this.#options;
    const hello = { type: "hello", runnerId, version, slots, free: this.#free } as const;
    if (!warm) return hello;
    const { podName } = warm;
    return { ...hello, kind: "warm", ...(podName !== undefined && { podName }) };
  }

  get #free(): number {
    return this.#draining ? 0 : this.#slots.free;
  }

  #sayFree(): void {
    this.#pool.say({ type: "status", free: this.#free });
  }

  #offered(offer: Offer): void {
    const { runId, attempt } = offer;
    const decision = decideOffer(offer, {
      draining: this.#draining,
      servedOrg: this.#options.servedOrg.current(),
      executing: this.#slots.attemptOf(runId),
      free: this.#slots.free,
    });
    switch (decision.kind) {
      case "accepted_before":
        this.#pool.say({ type: "accept", runId, attempt });
        // The pool takes a slot off for every accept, and this one was counted before.
        return this.#sayFree();
      case "decline":
        return this.#pool.say({ type: "decline", runId, attempt, reason: decision.reason });
      case "accept":
        return this.#accept(offer);
    }
  }

  #accept(offer: Offer): void {
    const { runId, attempt } = offer;
    if (!this.#options.servedOrg.claim(offer.orgId)) {
      return this.#pool.say({ type: "decline", runId, attempt, reason: "other_org" });
    }
    this.#slots.take(runId, attempt);
    setTimeout(() => {
      this.#pool.say({ type: "accept", runId, attempt });
      this.#sayFree();
    }, acceptDelayMs);
    const execution = this.#execute(offer).finally(() => {
      this.#executions.delete(execution);
      // What this run left in the pod is no other run's business.
      if (this.#options.warm) this.#draining = true;
      this.#slots.give(runId);
      this.#sayFree();
      this.#options.warm?.onSpent();
    });
    this.#executions.add(execution);
  }

  async #execute(offer: Offer): Promise<void> {
    const { runId, attempt: number, token } = offer;
    const { edgeUrl, runnerId, opening } = this.#options;
    const log = this.#options.log.with({ runId, attempt: number });
    const claimed = await claimAttempt({
      offer: { runId, attempt: number, token },
      runnerId,
      edgeUrl,
      log,
      opening,
      signal: this.#handBack.signal,
    });
    if (!claimed) return;
    const { attempt } = claimed;
    this.#attempts.add(attempt);
    if (this.#handBack.signal.aborted) attempt.drain();
    try {
      log.info("attempt begins");
      await workOn(claimed, this.#options.execute, log);
      log.info("attempt ends");
    } finally {
      this.#attempts.delete(attempt);
      attempt.close();
    }
  }
}
