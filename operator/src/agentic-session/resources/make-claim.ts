import type { V1OwnerReference } from "@kubernetes/client-node";
import type { Session } from "../session.ts";
import type { Draft, Wire } from "../../kube/kind.ts";
import { controllerOf } from "../../kube/owner-reference.ts";
import type { Claim } from "../facts.ts";
import { annotations } from "./annotations.ts";
import { childOf } from "./child-of.ts";

/** The volume that outlives attempts. */
export function makeClaim(session: Session): Draft<Claim> {
  const { storage } = session.spec;
  const { ownerReferences: _, annotations: notes, ...metadata } = childOf(session, "files");
  return {
    metadata: {
      ...metadata,
      annotations: { ...notes, [annotations.sessionUid]: session.metadata.uid },
      ...ownersOfClaim(session),
    },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: storage.size } },
      ...(storage.className !== undefined && { storageClassName: storage.className }),
    },
  };
}

/** A merge patch that makes the volume go with its session, or stay: as the spec says by now. */
export function makeClaimPatch(session: Session) {
  return { metadata: { ownerReferences: null, ...ownersOfClaim(session) } };
}

/** What is to be retained has no owner, so that nothing collects it. */
function ownersOfClaim(session: Session): { ownerReferences?: readonly Wire<V1OwnerReference>[] } {
  const isRetained = session.spec.retention.workspace === "Retain";
  return isRetained ? {} : { ownerReferences: [controllerOf(session)] };
}
