import { sign, verify } from "hono/jwt";
import { z } from "zod";

/** What a warm token says: its bearer is the runner of one idle pod. */
export const WarmTokenClaims = z.object({
  org: z.string(),
  pool: z.string(),
  pod: z.string(),
  namespace: z.string(),
  /** Owners of the edge whose sessions are made in this namespace; `*`: everybody. */
  owners: z.array(z.string()),
  /** When it was made, Unix ms; tokens of before do not say it. */
  at: z.int().default(0),
  /** Unix seconds. */
  exp: z.int(),
});
export type WarmTokenClaims = z.infer<typeof WarmTokenClaims>;

/** An operator replaces an idle pod at half of it. */
export const warmTokenTtlMs = 24 * 60 * 60_000;

export function signWarmToken(
  claims: Omit<WarmTokenClaims, "exp" | "at">,
  secret: string,
  now: number,
): Promise<string> {
  const exp = Math.floor((now + warmTokenTtlMs) / 1000);
  return sign({ ...claims, at: now, exp }, secret, "HS256");
}

/** Null for a token that is malformed, forged, expired, or another kind of token. */
export async function readWarmToken(
  token: string,
  secret: string,
): Promise<WarmTokenClaims | null> {
  try {
    return WarmTokenClaims.parse(await verify(token, secret, "HS256"));
  } catch {
    return null;
  }
}
