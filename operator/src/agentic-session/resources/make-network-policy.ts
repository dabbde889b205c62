import { sessionLabel } from "@millrace/contracts";
import type { Draft } from "../../kube/kind.ts";
import type { Session } from "../session.ts";
import { childPrefix } from "../child-name.ts";
import type { NetworkPolicy } from "../facts.ts";
import type { SessionSettings } from "../session-settings.ts";
import { childOf } from "./child-of.ts";

/** Nothing reaches a session's pod; the pod reaches what the chart's values permit. */
export function makeNetworkPolicy(
  session: Session,
  settings: SessionSettings,
): Draft<NetworkPolicy> {
  return {
    metadata: childOf(session, "net"),
    spec: {
      podSelector: { matchLabels: { [sessionLabel]: childPrefix(session.metadata.name) } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [],
      egress: settings.egress,
    },
  };
}
