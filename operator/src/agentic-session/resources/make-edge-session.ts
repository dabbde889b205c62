import { type SessionStart, crdGroup, sessionFinalizer } from "@millrace/contracts";
import type { Draft } from "../../kube/kind.ts";
import type { NamedIdentity } from "../identities.ts";
import type { StoredSession } from "../session.ts";

/** On a session that was made for a run of the edge. Alone it proves nothing: anybody may write a label. */
export const edgeRunLabel = `${crdGroup}/edge-run`;

/** The session of a run that was created at the edge; created in the name of `identity`. */
export function makeEdgeSession(
  { runId, spec }: SessionStart,
  identity: NamedIdentity,
): Draft<StoredSession> {
  const { prompt, repos, provider, model, timeoutSeconds, startDeadlineSeconds } = spec;
  return {
    metadata: {
      name: `run-${runId}`,
      namespace: identity.namespace,
      labels: { [edgeRunLabel]: runId },
      finalizers: [sessionFinalizer],
    },
    spec: {
      prompt: prompt || "(none)",
      owner: identity.user,
      repos: repos.map(({ url, branch, autoPush }) => ({
        url,
        autoPush,
        ...(branch !== null && { branch }),
      })),
      ...(model !== null && { model: { name: model, ...(provider !== null && { provider }) } }),
      ...(spec.interactive && { interactive: true }),
      ...(spec.keepOpen && { stopOnRunFinished: false }),
      ...(timeoutSeconds !== null && { timeoutSeconds }),
      ...(startDeadlineSeconds !== null && { startDeadlineSeconds }),
    },
  };
}
