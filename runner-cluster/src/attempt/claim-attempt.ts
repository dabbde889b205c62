import type { Offer, Opening } from "@millrace/contracts";
import { EdgeClient } from "../edge/edge-client.ts";
import { LeaseClock } from "../edge/lease-clock.ts";
import { Outbox } from "../edge/outbox.ts";
import { RunSocket, type FinalRefusal } from "../edge/run-socket.ts";
import type { Logger } from "../log.ts";
import { LiveAttempt } from "./live-attempt.ts";
import { loadSteps } from "./step-body.ts";

export interface ClaimOptions {
  readonly offer: Pick<Offer, "runId" | "attempt" | "token">;
  readonly runnerId: string;
  readonly edgeUrl: string;
  readonly log: Logger;
  readonly opening?: Opening | undefined;
  /** Where a fresher run token may lie than the one that was refused. */
  readonly readToken?: () => string | undefined;
  /** Why the platform would not have the claim; `closed`: it was given up. */
  readonly onRefused?: (code: FinalRefusal | "closed") => void;
  /** Ends the wish to claim; an attempt that was claimed does not hear it. */
  readonly signal: AbortSignal;
}

/** An attempt together with the client for its files, both living on the same token. */
export interface ClaimedAttempt {
  readonly attempt: LiveAttempt;
  readonly edge: EdgeClient;
}

/** Claims an offered attempt; undefined when the platform has no use for this runner's claim any more. */
export async function claimAttempt(options: ClaimOptions): Promise<ClaimedAttempt | undefined> {
  const { offer, edgeUrl, runnerId, log, signal } = options;
  const outbox = new Outbox();
  const lease = new LeaseClock();
  const { opening, readToken, onRefused } = options;
  const socket = new RunSocket({
    ...offer,
    edgeUrl,
    runnerId,
    opening,
    outbox,
    lease,
    log,
    ...(readToken && { readToken }),
  });
  const giveUp = (): void => socket.close();
  signal.addEventListener("abort", giveUp, { once: true });
  const first = await (signal.aborted ? undefined : socket.claim());
  signal.removeEventListener("abort", giveUp);
  if (!first?.ok) {
    socket.close();
    const because = first?.code ?? "closed";
    log.info("offer forgotten", { because });
    onRefused?.(because);
    return undefined;
  }
  const edge = new EdgeClient({ edgeUrl, runId: offer.runId, token: () => socket.token() });
  const parts = { claimed: first.claimed, socket, outbox, lease, edge, log };
  try {
    // The attempt hears nothing before it exists, so this is not cut short; its tries are bounded.
    const steps = await loadSteps(edge, first.steps, new AbortController().signal);
    return { attempt: new LiveAttempt({ ...parts, steps }), edge };
  } catch (error) {
    log.error("the checkpoint could not be read", { error });
    const attempt = new LiveAttempt({ ...parts, steps: [] });
    const outcome = {
      kind: "failed",
      code: "runner_error",
      error: "The run's checkpoint could not be read.",
      retryable: true,
    } as const;
    // A rejection means fenced: somebody else has the run.
    await attempt.finish(outcome).catch(() => undefined);
    return undefined;
  }
}
