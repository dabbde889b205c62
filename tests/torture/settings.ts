import { z } from "zod";

/** What one torture is: how long the faults go on, and all its chances. */
const Settings = z.object({
  /** This one kills edge and runner early: the short form has seen them come back. */
  TORTURE_SEED: z.coerce.number().int().nonnegative().default(46),
  /** Of faults. Afterwards everything may heal, and every run must end. */
  TORTURE_SECONDS: z.coerce.number().int().positive().default(12),
  /** The name of a mechanism (mechanisms.ts) that is taken out of the bundle: then the check must fail. */
  TORTURE_REMOVED: z.string().optional(),
  /** Where the figures are written to, as JSON. */
  TORTURE_REPORT: z.string().optional(),
});

export function readSettings(env: NodeJS.ProcessEnv) {
  const { TORTURE_SEED, TORTURE_SECONDS, TORTURE_REMOVED, TORTURE_REPORT } = Settings.parse(env);
  return {
    seed: TORTURE_SEED,
    seconds: TORTURE_SECONDS,
    removed: TORTURE_REMOVED,
    reportFile: TORTURE_REPORT,
    stuckMs: TORTURE_REMOVED === undefined ? stuckMs : brokenStuckMs,
  };
}

/** Runs that do not end while none ends for so long are stuck: no lease, backoff or dispatch that is tried again takes longer. */
const stuckMs = 330_000;
/** A bundle without a mechanism is told from a slow one sooner. */
const brokenStuckMs = 75_000;
/** Until then all must be over, and read. */
export const settleMs = 900_000;
