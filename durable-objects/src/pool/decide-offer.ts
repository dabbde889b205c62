/** A runner as a candidate: `free` counts offers without an answer as taken. */
interface Candidate {
  readonly runnerId: string;
  readonly free: number;
}

export interface OfferSituation {
  readonly candidates: readonly Candidate[];
  /** The runner that last took a run of this project: it may still hold the project's files. */
  readonly holder: string | null;
  /** Runners that would not take this attempt. */
  readonly refusedBy: ReadonlySet<string>;
}

/** Who is asked to take a run: its project's holder if it is free, else who has most free slots. Null: nobody can. */
export function decideOffer({ candidates, holder, refusedBy }: OfferSituation): string | null {
  const able = candidates.filter(
    (candidate) => candidate.free > 0 && !refusedBy.has(candidate.runnerId),
  );
  const [first] = able;
  if (!first) return null;
  if (able.some((candidate) => candidate.runnerId === holder)) return holder;
  return able.reduce((best, next) => (next.free > best.free ? next : best), first).runnerId;
}
