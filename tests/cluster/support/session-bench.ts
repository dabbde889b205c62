import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgenticSession } from "@millrace/contracts";
import { onTestFinished } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { startModelServer, type ModelServer } from "../../support/model-server/model-server.ts";
import { promptFor, type ScenarioInput } from "../../support/model-server/scenario.ts";
import { startPlatform, type Platform } from "../../support/platform.ts";
import type { FrameStream } from "../../support/sse.ts";
import { unzip } from "../../support/zip.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { chart, helm, setFlags, type Values } from "./helm.ts";
import { archiveOf, nodeValues, type RealNode, startRealNode } from "./real-node.ts";

/** Of waits for the cluster, on a machine that does much else. */
const patienceMs = 120_000;
/** Where the chart's own pods are; sessions are elsewhere. */
const releaseNamespace = "millrace";
export const sessionNamespace = "agents";
/** What the cluster's Secret holds, and the model asks for. */
export const providerKey = "sk-test-of-nobody";
/** In whose name the operator makes the sessions of the edge's users. */
const edgeUser = "edge-user";

const helmFlags = ["--namespace", releaseNamespace, "--wait", "--timeout", "300s"];

type Phase = NonNullable<NonNullable<AgenticSession["status"]>["phase"]>;

interface ClusterEvent {
  readonly type: string;
  readonly message: string;
  readonly involvedObject: { readonly name: string };
}

/** A session's run as the edge streams it. */
export interface FollowedSession {
  readonly projectId: string;
  readonly runId: string;
  readonly stream: FrameStream;
}

/** An edge and a model on this machine, and a real node with the chart: everything as in production but the cloud. */
export async function startSessionBench(values: Values = {}): Promise<SessionBench> {
  const platform = await startPlatform();
  const model = await startModelServer({ apiKey: providerKey });
  releaseAtEnd(() => model.stop());
  const node = await startRealNode();
  releaseAtEnd(() => node.stop());
  for (const image of ["runner", "operator"]) await node.importImage(archiveOf(image));
  const bench = new SessionBench(platform, model, node);
  const modelUrl = await node.expose(model.url);
  await bench.makeNamespaces(modelUrl);
  const edgeUrl = await node.expose(platform.url);
  bench.edge = new URL(edgeUrl).host;
  await bench.install({ ...nodeValues(modelUrl), "edge.url": edgeUrl, ...values });
  return bench;
}

/** A pod that no policy selects; it listens, as those of sessions here may, at `listeningPort`. */
export const listeningPort = 8080;
export const listen = `require("net").createServer().listen(${listeningPort}, () => console.log("holding"))`;

/** Tries each address for two seconds. */
const tryAll = (addresses: Readonly<Record<string, string>>): string => `
  const reach = (address) => new Promise((resolve) => {
    const [host, port] = address.split(":");
    const socket = require("net").connect({ host, port, timeout: 2000 });
    const end = (reached) => () => (socket.destroy(), resolve(reached));
    socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
  });
  const tries = Object.entries(${JSON.stringify(addresses)}).map(async ([name, address]) => [name, await reach(address)]);
  Promise.all(tries).then((all) => console.log(JSON.stringify(Object.fromEntries(all))));`;

export class SessionBench {
  readonly platform: Platform;
  readonly model: ModelServer;
  readonly node: RealNode;
  /** `host:port` of the edge, as pods see it. */
  edge = "";

  constructor(platform: Platform, model: ModelServer, node: RealNode) {
    this.platform = platform;
    this.model = model;
    this.node = node;
  }

  /** kubectl in the sessions' namespace; answers what it prints. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { stdout } = await this.node.kubectl("-n", sessionNamespace, ...args);
    return stdout;
  }

  /** `kubectl apply` of a session whose prompt carries the scenario. */
  async apply(
    name: string,
    scenario: ScenarioInput,
    spec: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const file = join(this.node.directory, `${name}.json`);
    const session = {
      apiVersion: "millrace.dev/v1alpha1",
      kind: "AgenticSession",
      metadata: { name },
      spec: { prompt: promptFor(scenario, name), ...spec },
    };
    await writeFile(file, JSON.stringify(session));
    this.#tellIfFailed(name);
    await this.kubectl("apply", "-f", file);
  }

  async read(name: string): Promise<AgenticSession> {
    return JSON.parse(await this.kubectl("get", "ags", name, "-o", "json")) as AgenticSession;
  }

  patch(name: string, spec: object): Promise<string> {
    return this.kubectl("patch", "ags", name, "--type=merge", "-p", JSON.stringify({ spec }));
  }

  async untilPhase(name: string, phase: Phase, reason?: string): Promise<AgenticSession> {
    let session = await this.read(name);
    await waitUntil(
      `${name} is ${phase}/${reason ?? "any"}`,
      async () => {
        session = await this.read(name);
        const { status } = session;
        return status?.phase === phase && (reason === undefined || status.reason === reason);
      },
      patienceMs,
    );
    return session;
  }

  /** Waits until the session has a run, and follows that at the edge from its first frame. */
  async follow(name: string): Promise<FollowedSession> {
    const hasRun = async () => (await this.read(name)).status?.url !== undefined;
    await waitUntil(`${name} has a run`, hasRun, patienceMs);
    const { url = "" } = (await this.read(name)).status ?? {};
    const [, , , projectId = "", , runId = ""] = url.split("/");
    return { projectId, runId, stream: await this.platform.api.stream(projectId, runId) };
  }

  /** The same, until a command of the scenario has printed this. */
  async followUntil(name: string, printed: string): Promise<FollowedSession> {
    const run = await this.follow(name);
    await run.stream.until(({ data }) => data["chunk"] === printed);
    return run;
  }

  /** A pod of the runner's image that no policy selects, and that listens. */
  async startVisitor(name: string): Promise<void> {
    const container = {
      name: "visitor",
      image: "localhost/millrace/runner:test",
      command: ["node", "-e", listen],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    };
    const seccompProfile = { type: "RuntimeDefault" };
    const spec = {
      containers: [container],
      securityContext: { runAsNonRoot: true, seccompProfile },
    };
    const overrides = JSON.stringify({ apiVersion: "v1", spec });
    await this.kubectl("run", name, `--image=${container.image}`, `--overrides=${overrides}`);
    await this.kubectl("wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s");
  }

  async addressOf(pod: string): Promise<string> {
    const ip = await this.kubectl("get", pod, "-o", "jsonpath={.status.podIP}");
    return `${ip}:${listeningPort}`;
  }

  /** Which of these addresses (`host:port`) a process in the pod reaches. */
  async reachedFrom(
    pod: string,
    addresses: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, boolean>>> {
    const printed = await this.kubectl("exec", pod, "--", "node", "-e", tryAll(addresses));
    return JSON.parse(printed) as Readonly<Record<string, boolean>>;
  }

  /** A volume of the class `static`, which nobody provisions: a directory of the node that the runner may write to. */
  async makeVolume(name: string): Promise<void> {
    const path = `/var/volumes/${name}`;
    // Kubernetes hands no directory of a node to a pod's group.
    await this.node.exec("install", "-d", "-o", "65532", "-g", "65532", path);
    const spec = {
      capacity: { storage: "100Mi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "static",
      hostPath: { path },
    };
    const file = join(this.node.directory, `${name}-volume.json`);
    const volume = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name }, spec };
    await writeFile(file, JSON.stringify(volume));
    await this.kubectl("apply", "-f", file);
  }

  /** kill -9 of both replicas; the Deployment brings others. */
  async killOperator(): Promise<void> {
    const pods = ["pods", "-l", "app.kubernetes.io/component=operator"];
    const now = ["--force", "--grace-period=0"];
    await this.node.kubectl("-n", releaseNamespace, "delete", ...pods, ...now);
  }

  /** Path → text of the files that a user downloads of the run. */
  async files(run: { readonly projectId: string; readonly runId: string }) {
    const archive = await unzip(await this.platform.api.download(run.projectId, run.runId));
    return new Map([...archive].map(([path, bytes]) => [path, bytes.toString()]));
  }

  /** Until the session has no pod; its record stays. */
  untilNothingRuns(name: string): Promise<void> {
    const isOver = async () => (await this.pods(name)).length === 0;
    return waitUntil(`no pod of ${name} is left`, isOver, patienceMs);
  }

  /** Deletes the session; resolves when nothing of it is left but, where `but` says so, its volume. */
  async remove(name: string, but?: "volume"): Promise<void> {
    await this.kubectl("delete", "ags", name, "--timeout=120s");
    const kinds = ["jobs", "pods", "secrets", "networkpolicies"];
    if (but === undefined) kinds.push("persistentvolumeclaims");
    const isGone = async () => (await this.#childrenOf(name, kinds.join())).length === 0;
    await waitUntil(`nothing of ${name} is left`, isGone, patienceMs);
  }

  /** Of a session: its pods, also those that are over. */
  pods(name: string): Promise<readonly string[]> {
    return this.#childrenOf(name, "pods");
  }

  async #childrenOf(name: string, kinds: string): Promise<readonly string[]> {
    const selector = ["-l", `millrace.dev/session=${name}`];
    const printed = await this.kubectl("get", kinds, ...selector, "-o", "name");
    return printed.split("\n").filter((line) => line !== "");
  }

  /** What Events about this session, or about its Jobs, have this reason. */
  async events(name: string, reason: string): Promise<readonly ClusterEvent[]> {
    const selector = ["--field-selector", `reason=${reason}`];
    const printed = await this.kubectl("get", "events", ...selector, "-o", "json");
    const { items } = JSON.parse(printed) as { readonly items: readonly ClusterEvent[] };
    const isOf = new RegExp(`^${name}(-\\d+)?$`);
    return items.filter(({ involvedObject }) => isOf.test(involvedObject.name));
  }

  /** What the operator and the pods said, for a failing test to show. */
  #tellIfFailed(name: string): void {
    onTestFinished(async ({ task }) => {
      if (task.result?.state !== "fail") return;
      const said = await Promise.all([
        this.kubectl("get", "ags", name, "-o", "yaml"),
        this.kubectl("get", "pods,jobs,events", "-o", "wide"),
        this.kubectl("logs", "-l", `millrace.dev/session=${name}`, "--tail=30", "--prefix"),
        this.operatorLog(),
      ]);
      process.stderr.write(`--- session ${name}\n${said.join("\n")}\n`);
    });
  }

  async operatorLog(): Promise<string> {
    const of = ["-l", "app.kubernetes.io/component=operator", "--tail=60", "--prefix"];
    return (await this.node.kubectl("-n", releaseNamespace, "logs", ...of)).stdout;
  }

  async makeNamespaces(modelUrl: string): Promise<void> {
    const { node, platform } = this;
    for (const namespace of [releaseNamespace, sessionNamespace]) {
      await node.kubectl("create", "namespace", namespace);
      const level = "pod-security.kubernetes.io/enforce=restricted";
      await node.kubectl("label", "namespace", namespace, level);
    }
    const secret = ["create", "secret", "generic"];
    const token = `--from-literal=token=${platform.poolToken}`;
    await node.kubectl("-n", releaseNamespace, ...secret, "millrace-pool", token);
    const provider = {
      OPENAI_API_KEY: providerKey,
      OPENAI_BASE_URL: modelUrl,
      OPENAI_MODEL: "gpt-5",
    };
    const literals = Object.entries(provider).map(
      ([key, value]) => `--from-literal=${key}=${value}`,
    );
    await this.kubectl(...secret, "millrace-providers", ...literals);
  }

  /** The chart as a user installs it, and what it leaves to the cluster's administrator. */
  async install(values: Values): Promise<void> {
    const identity = { owner: "*", user: edgeUser, namespace: sessionNamespace };
    const all = {
      "pool.tokenSecret": "millrace-pool",
      "pool.providerSecret": "millrace-providers",
      "runners.enabled": false,
      "sessions.identities": JSON.stringify([identity]),
      ...values,
    };
    await this.#helm("install", all);
    const who = ["--clusterrole=millrace-edit", `--user=${edgeUser}`];
    await this.kubectl("create", "rolebinding", edgeUser, ...who);
  }

  /** Changes some of the release's values; resolves when the operator works with them. */
  upgrade(values: Values): Promise<void> {
    return this.#helm("upgrade", values, "--reuse-values");
  }

  /** Resolves when helm has waited for everything of the release to go. */
  async uninstall(): Promise<void> {
    await helm(["uninstall", "millrace", ...helmFlags], { KUBECONFIG: this.node.kubeconfig });
  }

  async #helm(verb: string, values: Values, ...more: readonly string[]): Promise<void> {
    await helm([verb, "millrace", chart, ...setFlags(values), ...helmFlags, ...more], {
      KUBECONFIG: this.node.kubeconfig,
    });
  }
}
