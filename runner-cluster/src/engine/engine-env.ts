import { z } from "zod";

/** A timer that is set for longer than this fires at once. */
const timerMaxMs = 2 ** 31 - 1;

export const Milliseconds = z.coerce.number().int().positive().max(timerMaxMs);

/** The bounds on living work. The runner's environment holds them; all have defaults. */
export const EngineEnv = z.object({
  /** Longest time for one command. */
  COMMAND_TIMEOUT_MS: Milliseconds.default(10 * 60_000),
  /** Longest silence of a model in the middle of a call. */
  MODEL_SILENCE_MS: Milliseconds.default(2 * 60_000),
  /** Most answers of the model in one phase. */
  PHASE_STEP_LIMIT: z.coerce.number().int().positive().default(200),
  /** Longest time for a run, all attempts together. */
  RUN_TIMEOUT_MS: Milliseconds.default(2 * 60 * 60_000),
});
export type EngineEnv = z.infer<typeof EngineEnv>;
