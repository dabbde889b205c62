import type { KubeObject, Wire } from "./kind.ts";
import type { V1OwnerReference } from "@kubernetes/client-node";

/** For a child's `metadata.ownerReferences`: this object controls it, and waits for it in a foreground delete. */
export function controllerOf(owner: KubeObject): Wire<V1OwnerReference> {
  const { apiVersion, kind, metadata } = owner;
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
