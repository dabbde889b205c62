import { wakeIdOf } from "./decide-wake.ts";
import type { SubscriptionState, Target } from "./state.ts";
import type { WakeProof, WakeRefusal } from "./subscriptions-rpc.ts";
import type { WakeTokenClaims } from "./wake-token.ts";

interface Caller {
  readonly proof: Omit<WakeProof, "token">;
  readonly claims: WakeTokenClaims | "token_invalid" | "token_expired";
  /** Where the caller must come from. */
  readonly type: Target["type"];
}

/** What is wrong with somebody who says that the current wake is theirs; null: it is. */
export function findRefusal(
  state: SubscriptionState,
  { proof, claims, type }: Caller,
): WakeRefusal["code"] | null {
  if (state.target.type !== type) return "wrong_type";
  if (typeof claims === "string") return claims;
  if (claims.org !== state.orgId || claims.sub !== state.uid) return "token_invalid";
  const isCurrent =
    claims.generation === state.generation &&
    proof.generation === state.generation &&
    proof.wakeId === wakeIdOf(state);
  // Before it is claimed nobody has the token of a worker's wake.
  return isCurrent ? null : "fenced";
}
