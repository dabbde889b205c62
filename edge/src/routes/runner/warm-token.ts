import { limits, WarmTokenAsk } from "@millrace/contracts";
import { signWarmToken, warmTokenTtlMs } from "@millrace/durable-objects";
import { Hono } from "hono";
import type { PoolEnv } from "../../edge-env.ts";
import { bodyLimit } from "../../middleware/body-limit.ts";
import { requirePoolToken } from "../../middleware/require-pool-token.ts";
import { readBody } from "../../read-body.ts";

/** A token for one idle pod, asked for by the operator that makes it (contracts, session-protocol.ts). */
export const warmToken = new Hono<PoolEnv>();

warmToken.post(
  "/pools/:pool/warm-token",
  requirePoolToken,
  bodyLimit(limits.requestBodyMaxBytes),
  async (c) => {
    const body = await readBody(c, WarmTokenAsk);
    if (!body.ok) return body.response;
    const { orgId: org, pool } = c.var.joined;
    const { podName: pod, namespace, owners } = body.data;
    const claims = { org, pool, pod, namespace, owners };
    const token = await signWarmToken(claims, c.env.RUN_TOKEN_SECRET, Date.now());
    return c.json({ token, expiresInMs: warmTokenTtlMs });
  },
);
