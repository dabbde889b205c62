import { limits } from "@millrace/contracts";
import type { PoolToRunner } from "@millrace/contracts";
import { signRunToken } from "../run-token.ts";
import { decideOffer } from "./decide-offer.ts";
import { isSuited } from "./is-suited.ts";
import type { WaitingRun } from "./pool-rpc.ts";
import type { Runners } from "./runners.ts";
import type { StandingOffer } from "./state.ts";
import type { PoolStore } from "./store.ts";

/** Makes offers and takes them back. */
export class Matching {
  readonly #store: PoolStore;
  readonly #runners: Runners;
  readonly #tokenSecret: string;

  constructor(store: PoolStore, runners: Runners, tokenSecret: string) {
    this.#store = store;
    this.#runners = runners;
    this.#tokenSecret = tokenSecret;
  }

  sign(run: WaitingRun): Promise<string> {
    const claims = { org: run.orgId, run: run.runId, attempt: run.attempt };
    return signRunToken(claims, this.#tokenSecret, Date.now());
  }

  /**
   * Offers the run to whoever should take it, if anyone can. The offer is sent before it is written: a
   * message waits for the writes before it to reach the disk, and a pool may forget. Answers whether it was offered.
   */
  offer(run: WaitingRun, token: string): boolean {
    const { orgId, projectId, runId, attempt } = run;
    for (;;) {
      const runnerId = this.#choose(run);
      const socket = runnerId === null ? null : this.#runners.socketOf(runnerId);
      if (runnerId === null || !socket) return false;
      if (send(socket, { type: "offer", orgId, projectId, runId, attempt, token })) {
        const deadline = Date.now() + limits.offerMs;
        this.#store.insertOffer({ runId, attempt, runnerId, deadline });
        return true;
      }
      this.#runners.disconnect(socket);
      this.#store.removeOffersOf(runnerId);
    }
  }

  /** Offers every run that waits without an offer, longest waiting first. */
  async offerWaiting(): Promise<void> {
    for (const run of this.#store.unoffered()) {
      if (this.#choose(run) === null) continue;
      const token = await this.sign(run);
      // Signing let others in: the run may be offered or gone by now.
      const stillWaits = this.#store.waiting(run.runId)?.attempt === run.attempt;
      if (stillWaits && !this.#store.offer(run.runId)) this.offer(run, token);
    }
  }

  /** Takes an offer back from its runner; the run goes on waiting. */
  revoke(offer: StandingOffer): void {
    const { runId, attempt, runnerId } = offer;
    this.#store.removeOffer(runId);
    const socket = this.#runners.socketOf(runnerId);
    if (socket) send(socket, { type: "withdraw", runId, attempt });
  }

  /** The run waits no longer; whoever has an offer of it is told, except the runner that took it. */
  drop(runId: string, takenBy?: string): void {
    const offer = this.#store.offer(runId);
    if (offer && offer.runnerId !== takenBy) this.revoke(offer);
    this.#store.removeWaiting(runId);
  }

  #choose(run: WaitingRun): string | null {
    const offered = this.#store.offerCounts();
    const candidates = this.#runners
      .all()
      .filter((runner) => isSuited(run, runner))
      .map(({ runnerId, free }) => ({ runnerId, free: free - (offered.get(runnerId) ?? 0) }));
    if (!candidates.some((candidate) => candidate.free > 0)) return null;
    const holder = this.#store.holder(run.projectId);
    return decideOffer({ candidates, holder, refusedBy: this.#store.refusedBy(run.runId) });
  }
}

/** Answers false when the socket is no longer open; its close event is still to come, or will never come. */
export function send(socket: WebSocket, message: PoolToRunner): boolean {
  try {
    socket.send(JSON.stringify(message));
    return true;
  } catch {
    return false;
  }
}
