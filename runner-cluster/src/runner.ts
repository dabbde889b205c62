import type { Offer } from "@millrace/contracts";
import { claimAttempt, type ClaimedAttempt } from "./attempt/claim-attempt.ts";
import type { LiveAttempt } from "./attempt/live-attempt.ts";
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
  readonly poolToken: string;
  readonly slots: number;
  readonly servedOrg: ServedOrg;
  readonly log: Logger;
  /** Works on a claimed attempt until it is finished or fenced. Throws only for a bug. */
  readonly execute: (claimed: ClaimedAttempt, log: Logger) => Promise<void>;
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
    while (this.#executions.size > 0) await Promise.all(this.#executions);
    this.#pool.close();
  }

  /** The attempts that are still at work stop, and hand their runs back. */
  handBack(): void {
    this.#handBack.abort();
    for (const attempt of this.#attempts) attempt.drain();
  }

  #hello(): Hello {
    const { runnerId, version, slots } = this.#options;
    return { type: "hello", runnerId, version, slots, free: this.#free };
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
      this.#slots.give(runId);
      this.#sayFree();
    });
    this.#executions.add(execution);
  }

  async #execute(offer: Offer): Promise<void> {
    const { runId, attempt: number, token } = offer;
    const { edgeUrl, runnerId } = this.#options;
    const log = this.#options.log.with({ runId, attempt: number });
    const claimed = await claimAttempt({
      offer: { runId, attempt: number, token },
      runnerId,
      edgeUrl,
      log,
      signal: this.#handBack.signal,
    });
    if (!claimed) return;
    const { attempt } = claimed;
    this.#attempts.add(attempt);
    if (this.#handBack.signal.aborted) attempt.drain();
    try {
      log.info("attempt begins");
      await this.#work(claimed, log);
      log.info("attempt ends");
    } finally {
      this.#attempts.delete(attempt);
      attempt.close();
    }
  }

  async #work(claimed: ClaimedAttempt, log: Logger): Promise<void> {
    const { attempt } = claimed;
    try {
      await this.#options.execute(claimed, log);
      if (!attempt.isOpen) return;
      log.error("the engine returned and the attempt is not finished");
    } catch (error) {
      if (attempt.fenced.aborted) return;
      log.error("the engine broke", { error });
    }
    if (attempt.isOpen) await failAttempt(attempt);
  }
}

/** A bug of ours ends the attempt, not the run: another try may pass it by. */
async function failAttempt(attempt: LiveAttempt): Promise<void> {
  const outcome = {
    kind: "failed",
    code: "runner_error",
    error: "The runner met an internal error.",
    retryable: true,
  } as const;
  // A rejection means fenced: somebody else has the run.
  await attempt.finish(outcome).catch(() => undefined);
}
