export interface Contender {
  readonly runId: string;
  readonly attempt: number;
}

export interface Held {
  /** Null: the lock cannot be read. */
  readonly holder: Contender | null;
  readonly released: boolean;
}

export interface HolderFacts {
  readonly alive: boolean;
  /** The contender has waited as long as it will. */
  readonly impatient: boolean;
}

/** `take` is the regular way, `evict` takes from a holder that still lives. */
export type Takeover = "take" | "evict" | "wait" | "fenced";

/** May the contender have the lock? Attempts of one run follow their numbers, runs wait for one another. */
export function decideTakeover(held: Held, contender: Contender, facts: HolderFacts): Takeover {
  if (held.released) return "take";
  if (held.holder?.runId === contender.runId) {
    return held.holder.attempt > contender.attempt ? "fenced" : "take";
  }
  if (!facts.alive) return "take";
  return facts.impatient ? "evict" : "wait";
}
