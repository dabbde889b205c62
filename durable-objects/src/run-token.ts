import { sign, verify } from "hono/jwt";
import { z } from "zod";

/** What a run token says: its bearer executes this attempt of this run. */
export const RunTokenClaims = z.object({
  org: z.string(),
  run: z.string(),
  attempt: z.int().positive(),
  /** Unix seconds. */
  exp: z.int(),
});
export type RunTokenClaims = z.infer<typeof RunTokenClaims>;

/** Long enough for an edge outage and a late archive; renewed over the socket at half its life. */
export const runTokenTtlMs = 30 * 60_000;

export function signRunToken(
  claims: Omit<RunTokenClaims, "exp">,
  secret: string,
  now: number,
): Promise<string> {
  return sign({ ...claims, exp: Math.floor((now + runTokenTtlMs) / 1000) }, secret, "HS256");
}

/** Null for a token that is malformed, forged or expired. */
export async function readRunToken(token: string, secret: string): Promise<RunTokenClaims | null> {
  try {
    return RunTokenClaims.parse(await verify(token, secret, "HS256"));
  } catch {
    return null;
  }
}
