import { HttpMethod } from "@kubernetes/client-node";
import { sessionPod } from "@millrace/contracts";
import { ApiError } from "../kube/api-error.ts";
import { pathOf } from "../kube/kind.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { kinds } from "./children.ts";
import type { Pod } from "./facts.ts";

/** The runner's log as kubelet has it; undefined where it is gone. Throws when nobody could say. */
export async function readPodLog(
  api: KubeClient,
  { metadata }: Pick<Pod, "metadata">,
  bounds: { readonly tailLines?: number; readonly limitBytes: number },
): Promise<string | undefined> {
  const path = `${pathOf(kinds.pod, metadata)}/log`;
  const query = { container: sessionPod.container, ...bounds };
  try {
    const answer = await api.request({ method: HttpMethod.GET, path, query });
    return await answer.text();
  } catch (error) {
    // Kubelet has removed it, the node is gone, or the container never started: there is nothing to be had.
    if (error instanceof ApiError && error.status !== 0 && error.status !== 429) return undefined;
    throw error;
  }
}
