import { handfulMs, readQuotas, type PlatformEnv } from "@millrace/durable-objects";
import type { Context } from "hono";
import { limited } from "../../limited.ts";
import { logError } from "../../log.ts";
import { DrawnTokens } from "../../drawn-tokens.ts";
import { orgObject } from "../../objects.ts";
import type { ProblemResponse } from "../../problem.ts";

/** Places for runs, by org. */
const places = new DrawnTokens(handfulMs);

/** The next try of a client whose runs are many: some may be over by then. */
const retryAfterSeconds = 5;

/** Whether the org has room for one more run. An org that cannot be asked stops nobody. */
export async function admitRun(env: PlatformEnv, orgId: string): Promise<boolean> {
  try {
    const ask = (handful: boolean) => orgObject(env, orgId).drawRuns(handful);
    return (await places.take(orgId, Date.now(), ask)).ok;
  } catch (error) {
    logError("open runs not counted", { error });
    return true;
  }
}

export function tooManyOpenRuns(
  c: Context,
  limit: "open_runs_per_project" | "open_runs_per_org",
): ProblemResponse {
  const quotas = readQuotas(c.env as PlatformEnv);
  const max =
    limit === "open_runs_per_org"
      ? quotas.LIMIT_OPEN_RUNS_PER_ORG
      : quotas.LIMIT_OPEN_RUNS_PER_PROJECT;
  return limited(c, { limit, max, retryAfterSeconds });
}
