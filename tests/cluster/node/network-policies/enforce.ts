/**
 * `enforce.ts KUBECONFIG`: keeps nftables as the cluster's NetworkPolicies say, in the network namespace where it runs. A pod
 * is policed from when its address stands in its status, a moment after its start.
 */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CoreV1Api,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  NetworkingV1Api,
} from "@kubernetes/client-node";
import { makeRuleset } from "./make-ruleset.ts";

const againMs = 300;

function follow<T extends KubernetesObject>(
  path: string,
  list: () => Promise<KubernetesListObject<T>>,
  onChange: () => void,
) {
  const informer = makeInformer<T>(config, path, list);
  for (const event of ["add", "update", "delete"] as const) informer.on(event, onChange);
  // It gives up on every error; the API server may not even be there yet.
  const restart = () =>
    void sleep(againMs)
      .then(() => informer.start())
      .catch(restart);
  informer.on("error", restart);
  restart();
  return informer;
}

let placed = "";
let isPending = false;

/** Many changes at once are one new table. */
function changed(): void {
  if (isPending) return;
  isPending = true;
  setTimeout(() => {
    isPending = false;
    const ruleset = makeRuleset({
      pods: pods.list(),
      namespaces: namespaces.list(),
      policies: policies.list(),
    });
    if (ruleset === placed) return;
    const { status, stderr } = spawnSync("nft", ["-f", "-"], { input: ruleset, encoding: "utf8" });
    if (status === 0) placed = ruleset;
    else process.stderr.write(`${stderr}\n${ruleset}\n`);
  }, 20);
}

const config = new KubeConfig();
config.loadFromFile(process.argv[2] ?? "");
const core = config.makeApiClient(CoreV1Api);
const networking = config.makeApiClient(NetworkingV1Api);
const pods = follow("/api/v1/pods", () => core.listPodForAllNamespaces(), changed);
const namespaces = follow("/api/v1/namespaces", () => core.listNamespace(), changed);
const policies = follow(
  "/apis/networking.k8s.io/v1/networkpolicies",
  () => networking.listNetworkPolicyForAllNamespaces(),
  changed,
);
