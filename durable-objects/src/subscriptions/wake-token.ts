import { sign, verify } from "hono/jwt";
import { JwtTokenExpired } from "hono/utils/jwt/types";
import { z } from "zod";

/** What a wake token says: its bearer may acknowledge this wake of this subscription. */
const WakeTokenClaims = z.object({
  /** Run tokens are signed with the same secret. */
  aud: z.literal("wake"),
  org: z.string(),
  /** `uid` of the subscription. */
  sub: z.string(),
  generation: z.int(),
  /** Unix seconds. */
  exp: z.int(),
});
export type WakeTokenClaims = z.infer<typeof WakeTokenClaims>;

/** The generation fences it long before; whoever extends a lease for a day claims again. */
const wakeTokenTtlMs = 24 * 60 * 60_000;

export function signWakeToken(
  claims: Omit<WakeTokenClaims, "aud" | "exp">,
  secret: string,
  now: number,
): Promise<string> {
  const exp = Math.floor((now + wakeTokenTtlMs) / 1000);
  return sign({ ...claims, aud: "wake", exp }, secret, "HS256");
}

export async function readWakeToken(
  token: string,
  secret: string,
): Promise<WakeTokenClaims | "token_invalid" | "token_expired"> {
  try {
    return WakeTokenClaims.parse(await verify(token, secret, "HS256"));
  } catch (error) {
    return error instanceof JwtTokenExpired ? "token_expired" : "token_invalid";
  }
}
