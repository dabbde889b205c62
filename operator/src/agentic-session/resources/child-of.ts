import type { V1ObjectMeta } from "@kubernetes/client-node";
import { attemptLabel, sessionLabel } from "@millrace/contracts";
import type { Wire } from "../../kube/kind.ts";
import type { Session } from "../session.ts";
import { controllerOf } from "../../kube/owner-reference.ts";
import { annotations } from "./annotations.ts";
import { childName, childPrefix } from "../child-name.ts";

/** By these a session's children are found. A label's value is shorter than a name may be. */
function sessionLabels(session: Session): Record<string, string> {
  return {
    "app.kubernetes.io/part-of": "millrace",
    "app.kubernetes.io/component": "session",
    "app.kubernetes.io/managed-by": "millrace-operator",
    [sessionLabel]: childPrefix(session.metadata.name),
  };
}

/** Metadata of a child that belongs to the whole session. */
export function childOf(session: Session, suffix: string) {
  return {
    name: childName(session.metadata.name, suffix),
    namespace: session.metadata.namespace,
    labels: sessionLabels(session),
    annotations: { [annotations.session]: session.metadata.name },
    ownerReferences: [controllerOf(session)],
  } satisfies Wire<V1ObjectMeta>;
}

/** Metadata of a child that belongs to one attempt. */
export function attemptChildOf(session: Session, attempt: number) {
  const { labels, ...meta } = childOf(session, String(attempt));
  return { ...meta, labels: { ...labels, [attemptLabel]: String(attempt) } };
}
