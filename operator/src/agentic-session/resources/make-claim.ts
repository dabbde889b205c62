import type { Session } from "../session.ts";
import type { Draft } from "../../kube/kind.ts";
import type { Claim } from "../facts.ts";
import { childOf } from "./child-of.ts";

/** The volume that outlives attempts. One that is to be retained has no owner, so that nothing collects it. */
export function makeClaim(session: Session): Draft<Claim> {
  const { storage, retention } = session.spec;
  const { ownerReferences, ...metadata } = childOf(session, "files");
  return {
    metadata: retention.workspace === "Retain" ? metadata : { ...metadata, ownerReferences },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: storage.size } },
      ...(storage.className !== undefined && { storageClassName: storage.className }),
    },
  };
}
