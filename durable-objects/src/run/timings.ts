import { limits } from "@millrace/contracts";
import { z } from "zod";
import type { PlatformEnv } from "../platform-env.ts";

/** How long a run waits for what. All in milliseconds. */
export interface Timings {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** A renewed lease is written when it moved at least this far, so well within every 10 s. */
  readonly leaseSaveMs: number;
  readonly leaseGraceMs: number;
  readonly socketClosedLeaseMs: number;
  readonly startDeadlineMs: number;
  readonly cancelForceMs: number;
  /** How long a runner in a cluster has to acknowledge a cancel before its session is stopped. */
  readonly cancelAckMs: number;
  /** How long it has to hand back a run that is to pause. */
  readonly stopAnswerMs: number;
  readonly lateArchiveMs: number;
  /** How long after its end the log of a run moves to R2. */
  readonly archiveAfterMs: number;
}

const minGraceMs = 5_000;

const Knob = z.coerce.number().int().positive();

export function readArchiveAfterMs(env: Pick<PlatformEnv, "ARCHIVE_AFTER_MS">): number {
  return Knob.default(10 * 60_000).parse(env.ARCHIVE_AFTER_MS);
}

/** Reads the knobs of the Worker's environment; what is unset has the production value. */
export function readTimings(
  env: Pick<PlatformEnv, "LEASE_MS" | "START_DEADLINE_MS" | "ARCHIVE_AFTER_MS">,
): Timings {
  const leaseMs = Knob.default(limits.leaseMs).parse(env.LEASE_MS);
  return {
    leaseMs,
    heartbeatMs: Math.floor(leaseMs / 3),
    leaseSaveMs: Math.floor(leaseMs / 6),
    // A short lease is a test's: its grace shrinks with it, but a runner still has time to reconnect.
    leaseGraceMs: Math.min(limits.leaseGraceMs, Math.max(minGraceMs, Math.floor(leaseMs / 2))),
    socketClosedLeaseMs: Math.min(limits.socketClosedLeaseMs, leaseMs),
    startDeadlineMs: Knob.default(24 * 60 * 60_000).parse(env.START_DEADLINE_MS),
    cancelForceMs: limits.cancelForceMs,
    cancelAckMs: limits.cancelAckMs,
    stopAnswerMs: limits.stopAnswerMs,
    lateArchiveMs: limits.lateArchiveMs,
    archiveAfterMs: readArchiveAfterMs(env),
  };
}

/** A run may bound its own wait for a runner. */
export function timingsOf(
  { startDeadlineSeconds }: { readonly startDeadlineSeconds: number | null },
  timings: Timings,
): Timings {
  if (startDeadlineSeconds === null) return timings;
  return { ...timings, startDeadlineMs: startDeadlineSeconds * 1000 };
}
