import type { Facts } from "./facts.ts";

/** Stopped by the spec, for a restart, or because nothing has happened for too long. */
export function wantsStop(facts: Facts): boolean {
  const { desiredState } = facts.session.spec;
  if (desiredState === "Stopped") return true;
  if (facts.run?.status === "waiting") return false;
  return wantsRestart(facts) || facts.now >= inactiveAt(facts);
}

export function wantsRestart({ session }: Facts): boolean {
  const { restartToken } = session.spec;
  if (restartToken === undefined || session.status?.runId === undefined) return false;
  return restartToken !== session.status.restartToken;
}

/** When a session counts as silent; Infinity: never. */
export function inactiveAt({ session, run }: Pick<Facts, "session" | "run">): number {
  const { inactivityTimeoutSeconds } = session.spec;
  if (inactivityTimeoutSeconds === 0 || run?.status !== "running") return Infinity;
  return run.updatedAt + inactivityTimeoutSeconds * 1000;
}
