import { attemptLabel, warmPoolLabel } from "@millrace/contracts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { ApplyTools } from "./apply.ts";
import { kinds } from "./children.ts";
import type { Facts, Pod } from "./facts.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { attemptChildOf } from "./resources/child-of.ts";
import { limitSeconds } from "./resources/make-job.ts";
import { makeNetworkPolicy } from "./resources/make-network-policy.ts";
import type { SessionSettings } from "./session-settings.ts";

interface Adoption {
  readonly attempt: number;
  readonly podName: string;
}

/**
 * Makes an idle pod the session's: from then on it is watched, judged and cleared away like a Job's. One that is gone, or
 * another's already, is left: should its runner not claim, the platform gives the attempt to somebody else.
 */
export async function adoptPod(
  { session, now }: Facts,
  { attempt, podName }: Adoption,
  { api, settings, warmed }: Pick<ApplyTools, "api" | "settings" | "warmed">,
): Promise<Refusal | undefined> {
  const ref = { namespace: session.metadata.namespace, name: podName };
  const pod = await api.get(kinds.pod, ref);
  // Made before the values said that its owner's sessions are elsewhere.
  if (!pod) await dropWarmPod(api, settings, podName);
  if (!pod || !isIdle(pod, settings.pool)) return undefined;
  const { name: _, namespace: __, ...child } = attemptChildOf(session, attempt);
  try {
    // First, so that the pod is never without a policy: its label changes from the one's to the other's.
    if (settings.networkPolicies) {
      await api.apply(kinds.policy, makeNetworkPolicy(session, settings));
    }
    await api.patch(kinds.pod, ref, {
      metadata: {
        ...child,
        labels: { ...child.labels, [warmPoolLabel]: null },
        // Of two sessions, or a pool that takes it away, the first wins.
        resourceVersion: pod.metadata.resourceVersion,
      },
      spec: { activeDeadlineSeconds: idleSeconds(pod, now) + limitSeconds(session, settings) },
    });
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    return refusal;
  }
  warmed("hit");
  return undefined;
}

const isIdle = ({ metadata: { labels } }: Pod, pool: string): boolean =>
  labels?.[warmPoolLabel] === pool && labels[attemptLabel] === undefined;

/** The deadline of a pod counts from its start. */
function idleSeconds({ metadata, status }: Pod, now: number): number {
  const since = Date.parse(status?.startTime ?? metadata.creationTimestamp);
  return Math.max(0, Math.ceil((now - since) / 1000));
}

/** A runner has accepted what no session can be made for: its pod is nobody's, and ends. */
export async function dropWarmPod(
  api: KubeClient,
  settings: Pick<SessionSettings, "pool" | "warmPool">,
  podName: string | null,
): Promise<void> {
  const { warmPool, pool } = settings;
  if (podName === null || !warmPool) return;
  const ref = { namespace: warmPool.namespace, name: podName };
  const pod = await api.get(kinds.pod, ref);
  if (!pod || !isIdle(pod, pool)) return;
  await api.delete(kinds.pod, ref, { resourceVersion: pod.metadata.resourceVersion });
}
