import type { LimitName } from "@millrace/contracts";
import type { Context } from "hono";
import { problem, type ProblemResponse } from "./problem.ts";

export interface MetLimit {
  readonly limit: LimitName;
  readonly max: number;
  readonly retryAfterSeconds: number;
}

const whatIsLimited = {
  requests_per_key: (max) => `this API key may make ${max} requests per second`,
  readers_per_log: (max) => `a run or stream may have ${max} open readers`,
  readers_per_org: (max) => `an organisation may have ${max} open readers`,
  open_runs_per_project: (max) => `a project may have ${max} runs that are not over`,
  open_runs_per_org: (max) => `an organisation may have ${max} runs that are not over`,
  subscriptions_per_org: (max) => `an organisation may have ${max} subscriptions`,
} as const satisfies Record<LimitName, (max: number) => string>;

/** 429: which limit was met, and when it is worth another try. */
export function limited(c: Context, { limit, max, retryAfterSeconds }: MetLimit): ProblemResponse {
  return problem(c, "rate_limited", {
    message: whatIsLimited[limit](max),
    details: { limit, max },
    retryAfterSeconds,
  });
}
