import { type Clock, sleep, systemClock } from "./clock.ts";
import { type Observation, decideLease, observeLease } from "./decide-lease.ts";
import type { LeaseStore, LeaseWrite } from "./lease-store.ts";

/** The lease ran out, by our own clock; another replica may lead now. */
export class LeadershipLost extends Error {
  override readonly name = "LeadershipLost";
}

/** The time in which this process leads. */
export interface Leadership {
  /** Aborts when leading is over: stop everything, then return. */
  readonly signal: AbortSignal;
  /** Grows with every change of the leader (`leaseTransitions`): orders what leaders have written. */
  readonly term: number;
  /**
   * Throws `LeadershipLost` once the lease has run out. A process that was frozen goes on in the middle
   * of its work before any timer fires, so every write asks this first: it is the `guard` of a `KubeClient`.
   */
  readonly assertHeld: () => void;
}

export interface LeaderElectionOptions {
  readonly store: LeaseStore;
  /** Unique per process, also after a restart: the pod's name and something random. */
  readonly identity: string;
  /** Others wait so long after the last renewal that they saw. Whole seconds. */
  readonly leaseMs?: number;
  /** The leader stops so long after it *sent* its last successful renewal. The rest of `leaseMs` is for stopping. */
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
  readonly clock?: Clock;
  readonly onError?: (error: unknown) => void;
}

interface Held {
  readonly observation: Observation;
  /** Clock readings when the request that won it was sent. */
  readonly sentAt: Instant;
}

/** Both clocks: a monotonic one stands still while a virtual machine sleeps, a wall clock may be set. */
interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

/**
 * Runs `lead` in at most one of many processes at a time. Times of other machines are never
 * compared with ours: a candidate counts from when it saw the Lease change, the leader from
 * before it asked for the change, so whatever the network does the leader stops first.
 */
export class LeaderElection {
  readonly #options: Required<Omit<LeaderElectionOptions, "onError">>;
  readonly #onError: (error: unknown) => void;
  #observed: Observation | undefined;
  #isLeader = false;

  constructor(options: LeaderElectionOptions) {
    const { onError, ...rest } = options;
    const leaseMs = rest.leaseMs ?? 15_000;
    this.#options = {
      leaseMs,
      renewDeadlineMs: (leaseMs * 2) / 3,
      retryMs: leaseMs / 7.5,
      clock: systemClock,
      ...rest,
    };
    this.#onError = onError ?? (() => undefined);
    const { renewDeadlineMs, retryMs } = this.#options;
    if (!(retryMs < renewDeadlineMs && renewDeadlineMs < leaseMs)) {
      throw new RangeError("retryMs < renewDeadlineMs < leaseMs must hold");
    }
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /**
   * Until the signal aborts: waits for the Lease, leads, gives it back. When the Lease is lost, `lead`
   * is told to stop and awaited, and this process is a candidate again; also when `lead` returns by itself, a while later.
   * Rejects only when `lead` does.
   */
  async run(lead: (leadership: Leadership) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const held = await this.#acquire(signal);
      if (!held) return;
      await this.#lead(held, lead, signal);
      // At once again it would write the Lease as fast as the API server takes it.
      await sleep(this.#options.clock, this.#options.retryMs, signal);
    }
  }

  async #acquire(signal: AbortSignal): Promise<Held | undefined> {
    while (!signal.aborted) {
      const held = await this.#attempt(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#onError(error);
        return undefined;
      });
      if (held) return held;
      await sleep(this.#options.clock, this.#options.retryMs, signal);
    }
    return undefined;
  }

  /** Looks at the Lease and takes or renews it if that is right. Undefined: it is another's. */
  async #attempt(signal: AbortSignal): Promise<Held | undefined> {
    const { store, clock, identity } = this.#options;
    const record = await store.read(signal);
    this.#observed = observeLease(this.#observed, record, clock.monotonic());
    const decision = decideLease(this.#observed, identity, clock.monotonic());
    if (decision.kind === "wait") return undefined;
    const sentAt = this.#instant();
    const write = this.#claim(decision.kind === "create" ? 0 : decision.transitions);
    const written = this.#observed
      ? await store.update(this.#observed.record.version, write, signal)
      : await store.create(write, signal);
    if (written === "lost_race") return undefined;
    this.#observed = { record: written, since: sentAt.monotonic };
    return { observation: this.#observed, sentAt };
  }

  async #lead(
    first: Held,
    lead: (leadership: Leadership) => Promise<void>,
    outer: AbortSignal,
  ): Promise<void> {
    let held = first;
    const over = new AbortController();
    const signal = AbortSignal.any([outer, over.signal]);
    const assertHeld = (): void => {
      if (this.#leftMs(held) > 0) return;
      const lost = new LeadershipLost("the lease ran out before it could be renewed");
      over.abort(lost);
      throw lost;
    };
    this.#isLeader = true;
    const renewing = this.#renew(
      signal,
      () => held,
      (next) => (held = next),
    ).finally(() => over.abort(new LeadershipLost("the lease was not renewed")));
    try {
      await lead({ signal, term: first.observation.record.transitions, assertHeld });
    } finally {
      over.abort(new LeadershipLost("leading is over"));
      this.#isLeader = false;
      await renewing;
      await this.#release(held);
    }
  }

  /** Returns when the lease is lost, or the signal aborts. */
  async #renew(
    signal: AbortSignal,
    current: () => Held,
    renewed: (held: Held) => void,
  ): Promise<void> {
    const { clock, retryMs } = this.#options;
    while (!signal.aborted) {
      await sleep(clock, Math.min(retryMs, this.#leftMs(current())), signal);
      const leftMs = this.#leftMs(current());
      if (signal.aborted || leftMs <= 0) return;
      const result = await this.#tryRenew(signal, leftMs);
      // An answer that comes too late proves nothing: we have counted as gone since.
      if (result === "lost" || this.#leftMs(current()) <= 0) return;
      if (result !== "failed") renewed(result);
    }
  }

  async #tryRenew(signal: AbortSignal, leftMs: number): Promise<Held | "lost" | "failed"> {
    const { clock, retryMs } = this.#options;
    const timeout = new AbortController();
    const limitMs = Math.min(leftMs, Math.max(retryMs * 2, leftMs / 2));
    const cancel = clock.schedule(limitMs, () =>
      timeout.abort(new Error(`no answer within ${Math.round(limitMs)} ms`)),
    );
    try {
      const held = await this.#attempt(AbortSignal.any([signal, timeout.signal]));
      return held ?? (this.#observedIsMine() ? "failed" : "lost");
    } catch (error) {
      if (!signal.aborted) this.#onError(error);
      return "failed";
    } finally {
      cancel();
    }
  }

  #observedIsMine(): boolean {
    return this.#observed?.record.holder === this.#options.identity;
  }

  /** The next leader need not wait for the lease to run out. Best effort. */
  async #release({ observation }: Held): Promise<void> {
    const { store, retryMs, clock } = this.#options;
    const { version, transitions } = this.#observed?.record ?? observation.record;
    if (!this.#observedIsMine()) return;
    const timeout = new AbortController();
    const cancel = clock.schedule(retryMs * 2, () => timeout.abort());
    try {
      const write = { holder: "", durationMs: 1000, transitions };
      const released = await store.update(version, write, timeout.signal);
      if (released !== "lost_race") {
        this.#observed = { record: released, since: clock.monotonic() };
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      cancel();
    }
  }

  #claim(transitions: number): LeaseWrite {
    const { identity, leaseMs } = this.#options;
    return { holder: identity, durationMs: leaseMs, transitions };
  }

  #instant(): Instant {
    const { clock } = this.#options;
    return { monotonic: clock.monotonic(), wall: clock.now() };
  }

  #leftMs({ sentAt }: Held): number {
    const now = this.#instant();
    const passed = Math.max(now.monotonic - sentAt.monotonic, now.wall - sentAt.wall);
    return this.#options.renewDeadlineMs - passed;
  }
}
