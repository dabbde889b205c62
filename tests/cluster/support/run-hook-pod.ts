import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CoreV1Api, type V1Container, type V1Pod, setHeaderOptions } from "@kubernetes/client-node";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { checkout } from "../../support/build-paths.ts";
import { waitUntil } from "../../support/wait-until.ts";
import type { ControlPlane } from "./control-plane.ts";

const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

interface Hook {
  readonly namespace: string;
  readonly job: string;
  /** Beside what the pod has. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * In place of kubelet: when the Job's pod runs by kwok's word, its command runs here, with the pod's variables and a
 * token of its ServiceAccount; what it comes to becomes the pod's status. Resolves with what it said; rejects with that when it failed.
 */
export async function runHookPod(
  plane: ControlPlane,
  { namespace, job, env }: Hook,
): Promise<string> {
  const core = plane.admin().makeApiClient(CoreV1Api);
  const { name, account, container } = await runningPod(core, namespace, job);
  const config = await plane.serviceAccount(namespace, account);
  const logFile = join(plane.directory, `${name}.log`);
  const group = await ProcessGroup.spawn({
    command: process.execPath,
    args: [join(checkout, "operator/src/main.ts"), ...(container.args ?? [])],
    cwd: plane.directory,
    env: {
      PATH: process.env["PATH"],
      ...variablesOf(container, { name, namespace }),
      KUBECONFIG: await plane.writeKubeconfig(name, config),
      ...env,
    },
    logFile,
  });
  const { code } = await group.exited;
  const status = { phase: code === 0 ? "Succeeded" : "Failed" };
  await core.patchNamespacedPodStatus({ name, namespace, body: { status } }, mergePatch);
  const said = await readFile(logFile, "utf8");
  if (code !== 0) throw new Error(`${job} failed: ${said}`);
  return said;
}

async function runningPod(core: CoreV1Api, namespace: string, job: string) {
  const labelSelector = `job-name=${job}`;
  let pod: V1Pod | undefined;
  await waitUntil(`${job} has a pod`, async () => {
    [pod] = (await core.listNamespacedPod({ namespace, labelSelector })).items;
    return pod?.status?.phase === "Running";
  });
  const { metadata, spec } = pod ?? {};
  const [container] = spec?.containers ?? [];
  if (!container) throw new Error(`${job}: its pod has no container`);
  return { name: metadata?.name ?? "", account: spec?.serviceAccountName ?? "", container };
}

function variablesOf(
  { env = [] }: V1Container,
  pod: { readonly name: string; readonly namespace: string },
): NodeJS.ProcessEnv {
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": pod.name,
    "metadata.namespace": pod.namespace,
  };
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ""],
    ]),
  );
}
