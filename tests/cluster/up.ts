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
import { installChart, sessions } from "./support/install-chart.ts";
import { startRealNode } from "./support/real-node.ts";

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
    installChart(node, { edgeUrl: edge.url, modelUrl, poolToken: secrets.poolToken }),
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
  kubectl -n ${sessions} get ags -w
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
