/** A connected operator: `leaderAt` is when it last began to say that it leads; null: it does not. */
export interface LeaderCandidate {
  readonly operatorId: string;
  readonly leaderAt: number | null;
}

/**
 * Who is given commands. Two may say that they lead: one that was stopped and goes on does not know yet that its lease is
 * gone, so the latest is believed.
 */
export function decideLeader<Candidate extends LeaderCandidate>(
  operators: readonly Candidate[],
): Candidate | null {
  let leader: Candidate | null = null;
  for (const operator of operators) {
    if (operator.leaderAt !== null && operator.leaderAt > (leader?.leaderAt ?? -1)) {
      leader = operator;
    }
  }
  return leader;
}

const firstRetryMs = 10_000;
const maxRetryMs = 5 * 60_000;

/** How long after send number `tries` (from 0) a command without an answer is sent again. */
export function resendDelay(tries: number): number {
  return Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(tries, 10));
}
