import { chart, helm, setFlags, type Values } from "./helm.ts";
import { archiveOf, nodeValues, type RealNode } from "./real-node.ts";

const namespace = "millrace";
/** Where sessions are. */
export const sessions = "agents";
/** In whose name runs that were created at the edge become sessions. */
const edgeUser = "edge-user";

export interface Places {
  /** Servers of this machine. */
  readonly edgeUrl: string;
  readonly modelUrl: string;
  readonly poolToken: string;
}

/** The images, the Secrets and the chart, as a user installs them; resolves when its pods are ready. */
export async function installChart(
  node: RealNode,
  { edgeUrl, modelUrl, poolToken }: Places,
  values: Values = {},
): Promise<void> {
  for (const image of ["runner", "operator"]) await node.importImage(archiveOf(image));
  const secret = ["create", "secret", "generic"];
  const inside = await node.expose(modelUrl);
  const providers = [
    `--from-literal=OPENAI_API_KEY=${process.env["OPENAI_API_KEY"] ?? "of-nobody"}`,
    `--from-literal=OPENAI_BASE_URL=${inside}`,
  ];
  for (const one of [namespace, sessions]) {
    await node.kubectl("create", "namespace", one);
    await node.kubectl("-n", one, ...secret, "millrace-providers", ...providers);
  }
  const token = `--from-literal=token=${poolToken}`;
  await node.kubectl("-n", namespace, ...secret, "millrace-pool", token);
  const all = {
    ...nodeValues(inside),
    "edge.url": await node.expose(edgeUrl),
    "pool.tokenSecret": "millrace-pool",
    "pool.providerSecret": "millrace-providers",
    "sessions.identities": JSON.stringify([{ owner: "*", user: edgeUser, namespace: sessions }]),
    ...values,
  };
  const flags = [...setFlags(all), "--namespace", namespace, "--wait", "--timeout", "300s"];
  await helm(["install", "millrace", chart, ...flags], { KUBECONFIG: node.kubeconfig });
  const who = ["--clusterrole=millrace-edit", `--user=${edgeUser}`];
  await node.kubectl("-n", sessions, "create", "rolebinding", edgeUser, ...who);
}
