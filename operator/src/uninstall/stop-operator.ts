import type { V1Deployment } from "@kubernetes/client-node";
import { isApiError } from "../kube/api-error.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import { type Ref, type Stored, defineKind } from "../kube/kind.ts";
import type { KubeClient } from "../kube/kube-client.ts";

const deployments = defineKind<Stored<V1Deployment>>("apps/v1", "Deployment", "deployments");
const tryAgainMs = 500;

/**
 * Takes the operator's replicas away, so that nobody works against what follows. Its Lease says when they have gone.
 * Rights that were given a moment ago may be refused for another.
 */
export async function stopOperator(
  api: KubeClient,
  deployment: Ref,
  {
    clock,
    until,
    signal,
  }: { readonly clock: Clock; readonly until: number; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    try {
      await api.patch(deployments, deployment, { spec: { replicas: 0 } }, "scale");
      return;
    } catch (error) {
      if (isApiError(error, "not_found")) return;
      const canPass = isApiError(error, "forbidden", "unavailable", "throttled", "conflict");
      if (!canPass || clock.monotonic() >= until) throw error;
      await sleep(clock, tryAgainMs, signal);
      signal.throwIfAborted();
    }
  }
}
