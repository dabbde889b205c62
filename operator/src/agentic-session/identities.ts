import type { Identity } from "../kube/kube-transport.ts";
import type { SessionSettings } from "./session-settings.ts";

export interface NamedIdentity extends Identity {
  readonly namespace: string;
}

/** Who acts in the cluster for an owner of the edge, and where: a mapping in the chart's values. */
export interface Identities {
  readonly of: (owner: string | null) => NamedIdentity | undefined;
}

export function makeIdentities(mappings: SessionSettings["identities"]): Identities {
  const byOwner = new Map(mappings.map((mapping) => [mapping.owner, mapping]));
  return {
    of(owner) {
      const mapping = byOwner.get(owner ?? "*") ?? byOwner.get("*");
      if (!mapping) return undefined;
      const { user, group, namespace } = mapping;
      return { user, namespace, ...(group !== undefined && { groups: [group] }) };
    },
  };
}
