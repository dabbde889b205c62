import { sessionFinalizer } from "@millrace/contracts";
import { hasFinalizer } from "../kube/finalizers.ts";
import type { Claim, Facts } from "./facts.ts";
import type { Change, Plan } from "./plan.ts";
import { annotations } from "./resources/annotations.ts";
import type { Session } from "./session.ts";

const ownerOf = (claim: Claim): string | undefined =>
  claim.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;

/** Made for this session. One that an earlier session of the name has left is used, and stays as it is. */
function ownClaim({ claim, session }: Pick<Facts, "claim" | "session">): Claim | undefined {
  if (!claim) return undefined;
  const { uid } = session.metadata;
  const isOwn =
    ownerOf(claim) === uid || claim.metadata.annotations?.[annotations.sessionUid] === uid;
  return isOwn ? claim : undefined;
}

const isRetained = ({ spec }: Session): boolean => spec.retention.workspace === "Retain";

/** The same plan, in which the volume first becomes what `retention.workspace` says now: it may have changed since the volume was made. */
export function withClaim(facts: Facts, plan: Plan): Plan {
  const { session } = facts;
  const claim = ownClaim(facts);
  if (!claim || !hasFinalizer(session, sessionFinalizer)) return plan;
  const isOwned = ownerOf(claim) !== undefined;
  if (isOwned !== isRetained(session)) return plan;
  const change: Change = { kind: "own-claim", claimName: claim.metadata.name };
  return { ...plan, changes: [change, ...plan.changes] };
}

/** Said when the session goes: where its files are. */
export function tellRetained(facts: Facts): readonly Change[] {
  const claim = ownClaim(facts);
  if (!claim || !isRetained(facts.session)) return [];
  const note = `PersistentVolumeClaim ${claim.metadata.name} stays with the session's files`;
  return [{ kind: "tell", type: "Normal", reason: "VolumeRetained", note }];
}

/** An earlier session of the name takes it along: a pod that named it would wait for it in vain. */
export function isGoing(claim: Claim | undefined, { metadata }: Session): boolean {
  if (!claim) return false;
  const owner = ownerOf(claim);
  return (
    claim.metadata.deletionTimestamp !== undefined ||
    (owner !== undefined && owner !== metadata.uid)
  );
}
