import { HttpMethod } from "@kubernetes/client-node";
import { kinds } from "../agentic-session/children.ts";
import { type Ref, pathOf } from "../kube/kind.ts";
import type { KubeClient } from "../kube/kube-client.ts";

export interface LogAsk {
  readonly container: string;
  /** Ends with the container instead of with what it has written so far. */
  readonly follow?: boolean;
  /** Each line begins with the time at which it was written, RFC 3339 with nanoseconds, and a blank. */
  readonly timestamps?: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** RFC 3339; the API server takes whole seconds. */
  readonly sinceTime?: string;
}

/**
 * A container's log as kubelet has it. Throws `ApiError`: 400 when the container has not started, 404 when the pod
 * is gone, above 500 when its node does not answer.
 */
export async function openLog(
  api: Pick<KubeClient, "request">,
  pod: Ref,
  ask: LogAsk,
  signal?: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const path = `${pathOf(kinds.pod, pod)}/log`;
  const { follow = false } = ask;
  const request = { method: HttpMethod.GET, path, query: { ...ask } };
  const answer = await api.request({
    ...request,
    ...(signal && { signal }),
    ...(follow && { timeoutMs: 0 }),
  });
  return answer.bytes();
}
