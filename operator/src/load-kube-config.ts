import { KubeConfig } from "@kubernetes/client-node";

/** From a kubeconfig file, or from the ServiceAccount of the pod. Throws with a message for people. */
export function loadKubeConfig(file: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (file === undefined) config.loadFromCluster();
    else config.loadFromFile(file);
  } catch (cause) {
    throw new Error(whyNot(file, cause), { cause });
  }
  if (
    !config.getCurrentCluster()?.server ||
    config.getCurrentCluster()?.server.includes("undefined")
  ) {
    throw new Error(whyNot(file, "it names no cluster"));
  }
  return config;
}

const whyNot = (file: string | undefined, cause: unknown): string =>
  file === undefined
    ? "this process is in no pod with a ServiceAccount token; set KUBECONFIG"
    : `KUBECONFIG=${file} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`;
