/**
 * `npm run cluster`: an edge on this machine, and a cluster of one real node with the chart installed, to play with. Root on
 * Linux; see README.md. Pods have no way to the internet, so the model is the scripted one of the tests, unless OPENAI_BASE_URL
 * names a server of this machine.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { step } from "../../scripts/progress.ts";
import { findFreePort } from "../../scripts/free-port.ts";
import { startLocalEdge, wranglerFailed } from "../../scripts/local-edge.ts";
import { runUntilStopped, type Running } from "../../scripts/run-until-stopped.ts";
import { readSettings } from "../../scripts/settings.ts";
import { StateDir } from "../../scripts/state-dir.ts";
import { startModelServer } from "../support/model-server/model-server.ts";
import { binary } from "./support/binaries.ts";
import { setup } from "./support/build-node.ts";
import { chart, helm, setFlags } from "./support/helm.ts";
import { archiveOf, nodeValues, type RealNode, startRealNode } from "./support/real-node.ts";

const namespace = "millrace";
const sessions = "agents";
/** In whose name runs that were created at the edge become sessions. */
const edgeUser = "edge-user";

interface Places {
  readonly edgeUrl: string;
  readonly modelUrl: string;
  readonly poolToken: string;
}

async function install(node: RealNode, { edgeUrl, modelUrl, poolToken }: Places): Promise<void> {
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
  const values = {
    ...nodeValues(inside),
    "edge.url": await node.expose(edgeUrl),
    "pool.tokenSecret": "millrace-pool",
    "pool.providerSecret": "millrace-providers",
    "sessions.identities": JSON.stringify([{ owner: "*", user: edgeUser, namespace: sessions }]),
  };
  const flags = [...setFlags(values), "--namespace", namespace, "--wait", "--timeout", "300s"];
  await helm(["install", "millrace", chart, ...flags], { KUBECONFIG: node.kubeconfig });
  const who = ["--clusterrole=millrace-edit", `--user=${edgeUser}`];
  await node.kubectl("-n", sessions, "create", "rolebinding", edgeUser, ...who);
}

async function start(signal: AbortSignal): Promise<Running> {
  setup();
  const directory = await mkdtemp(join(tmpdir(), "millrace-cluster-"));
  const port = String(await findFreePort("127.0.0.1"));
  const settings = readSettings({ PORT: port, STATE_DIR: join(directory, "state") });
  const state = StateDir.open(settings);
  const secrets = state.secrets(settings);
  const edge = await startLocalEdge(settings, state, secrets, signal);
  const model = await startModelServer();
  const node = await step("starting a Kubernetes node", startRealNode);
  const modelUrl = process.env["OPENAI_BASE_URL"] ?? model.url;
  await step("installing the chart", () =>
    install(node, { edgeUrl: edge.url, modelUrl, poolToken: secrets.poolToken }),
  );
  console.log(`
  base URL    ${edge.url}
  API key     ${secrets.apiKey}

  export KUBECONFIG=${node.kubeconfig}
  export PATH=${dirname(binary("kubectl"))}:$PATH
  kubectl apply -f - <<'YAML'
  apiVersion: millrace.dev/v1alpha1
  kind: AgenticSession
  metadata: { name: hello, namespace: ${sessions} }
  spec: { prompt: "Write a program that counts words" }
  YAML
  kubectl -n ${sessions} get ags,pods -w
`);
  return {
    failed: edge.group.exited.then(() => wranglerFailed("the edge ended", edge.logFile)),
    stop: async () => {
      await node.stop();
      await model.stop();
      await edge.group.stop(5_000);
      state.release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

await runUntilStopped(start);
