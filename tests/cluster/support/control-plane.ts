import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { findFreePort } from "../../../scripts/free-port.ts";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { binary, clusterRoot } from "./binaries.ts";
import { makeFakeNode } from "./make-fake-node.ts";

const scripts = join(import.meta.dirname, "../control-plane");
const startTimeoutMs = 120_000;
const run = promisify(execFile);

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

export interface ControlPlaneOptions {
  /** Nodes on which kwok pretends to run pods; see control-plane/kwok.yaml for how they end. Default 1. */
  readonly nodes?: number;
  /** People with a token of their own, and their groups. Default alice in developers, and bob. */
  readonly people?: Readonly<Record<string, readonly string[]>>;
  readonly apiServerFlags?: readonly string[];
  readonly controllerFlags?: readonly string[];
  /** Stages in place of control-plane/kwok.yaml. */
  readonly kwokConfig?: string;
}

/**
 * A Kubernetes control plane of its own: etcd, API server, controller manager, scheduler and kwok, on
 * free ports of the loopback address, in a temporary directory. Nothing outlives this process.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-cluster-"));
  const apiPort = await findFreePort("127.0.0.1");
  const group = await ProcessGroup.spawn({
    command: join(scripts, "control-plane.sh"),
    args: ["run"],
    cwd: directory,
    env: settings(options, directory, {
      K8S_API_PORT: String(apiPort),
      K8S_ETCD_PORT: String(await findFreePort("127.0.0.1")),
    }),
    logFile: join(directory, "start.log"),
  });
  const plane = new ControlPlane(directory, group);
  try {
    await plane.started();
    for (let i = 0; i < (options.nodes ?? 1); i += 1) await plane.addNode(`fake-${i}`);
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

function settings(
  options: ControlPlaneOptions,
  directory: string,
  ports: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const people = options.people ?? { alice: ["developers"], bob: [] };
  return {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    K8S_ROOT: clusterRoot,
    K8S_RUN: directory,
    K8S_PEOPLE: Object.entries(people)
      .map(([name, groups]) => `${name}:${groups.join("|")}`)
      .join(" "),
    K8S_APISERVER_FLAGS: options.apiServerFlags?.join(" ") ?? "",
    K8S_CONTROLLER_FLAGS: options.controllerFlags?.join(" ") ?? "",
    KWOK_CONFIG: options.kwokConfig ?? join(scripts, "kwok.yaml"),
    ...ports,
  };
}

export class ControlPlane {
  /** State and logs: `NAME.log` of each component. Gone after `stop`. */
  readonly directory: string;
  /** Of the cluster's administrator, by a client certificate. */
  readonly kubeconfig: string;
  readonly #group: ProcessGroup;
  #apiServer: ProcessGroup | undefined;

  constructor(directory: string, group: ProcessGroup) {
    this.directory = directory;
    this.kubeconfig = join(directory, "admin.kubeconfig");
    this.#group = group;
  }

  async started(): Promise<void> {
    const deadline = Date.now() + startTimeoutMs;
    const isReady = () =>
      access(join(this.directory, "ready")).then(
        () => true,
        () => false,
      );
    while (!(await isReady())) {
      if (this.#group.isOver || Date.now() > deadline) throw new Error(this.#startLog());
      await sleep(50);
    }
  }

  #startLog(): string {
    return `the control plane did not start:\n${readFileSync(join(this.directory, "start.log"), "utf8")}`;
  }

  get server(): string {
    const server = this.admin().getCurrentCluster()?.server;
    if (server === undefined) throw new Error(`no server in ${this.kubeconfig}`);
    return server;
  }

  /** The cluster's administrator. */
  admin(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromFile(this.kubeconfig);
    return config;
  }

  /** Somebody with this bearer token and nothing else. */
  withToken(token: string): KubeConfig {
    const cluster = this.admin().getCurrentCluster();
    if (!cluster) throw new Error(`no cluster in ${this.kubeconfig}`);
    const config = new KubeConfig();
    config.loadFromClusterAndUser(cluster, { name: "token", token });
    return config;
  }

  /** One of `people`. */
  person(name: string): KubeConfig {
    return this.withToken(`${name}-token`);
  }

  /** A pod's identity: a token of the ServiceAccount, as the kubelet would mount it. */
  async serviceAccount(namespace: string, name: string): Promise<KubeConfig> {
    const { stdout } = await this.kubectl("-n", namespace, "create", "token", name);
    return this.withToken(stdout.trim());
  }

  /** A kubeconfig file for another program (helm, the operator), of whoever this is. */
  async writeKubeconfig(name: string, config: KubeConfig): Promise<string> {
    const file = join(this.directory, `${name}.kubeconfig`);
    await writeFile(file, config.exportConfig(), { mode: 0o600 });
    return file;
  }

  /** Runs kubectl as the administrator; rejects with its message when it fails. */
  kubectl(...args: readonly string[]): Promise<Output> {
    return this.#kubectl(this.kubeconfig, args);
  }

  /**
   * The same as one of `people`, with a kubeconfig of their own: `--token` beside the administrator's
   * certificate would be ignored.
   */
  async kubectlAs(person: string, ...args: readonly string[]): Promise<Output> {
    const file = await this.writeKubeconfig(`person-${person}`, this.person(person));
    return this.#kubectl(file, args);
  }

  #kubectl(kubeconfig: string, args: readonly string[]): Promise<Output> {
    return run(binary("kubectl"), args, {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      maxBuffer: 64 << 20,
    });
  }

  /** A node of kwok's: Ready, with room for 500 pods. */
  async addNode(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const core = this.admin().makeApiClient(CoreV1Api);
    await core.createNode({ body: makeFakeNode(name, labels) });
    await waitUntil(`node ${name} is Ready`, async () => {
      const node = await core.readNode({ name });
      return (
        node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false
      );
    });
  }

  /** kill -9: every watch breaks, nothing is said. etcd keeps the objects. */
  async killApiServer(): Promise<void> {
    if (this.#apiServer) await this.#apiServer.stop(0);
    else await this.signalComponent("apiserver", "SIGKILL");
    this.#apiServer = undefined;
    await waitUntil("the API server is gone", async () => !(await this.#answers()));
  }

  /** The API server again, on the same port, with the same certificates. */
  async startApiServer(): Promise<void> {
    const argv = (await readFile(join(this.directory, "apiserver.argv"), "utf8")).split("\0");
    this.#apiServer = await ProcessGroup.spawn({
      command: argv[0] ?? "",
      args: argv.slice(1, -1),
      cwd: join(this.directory, "pki"),
      env: process.env,
      logFile: join(this.directory, "apiserver.log"),
    });
    await waitUntil("the API server is ready", () => this.#answers(), startTimeoutMs);
  }

  async restartApiServer(): Promise<void> {
    await this.killApiServer();
    await this.startApiServer();
  }

  /**
   * To etcd, apiserver (unless it was started again), controller-manager, scheduler or kwok: SIGSTOP
   * makes it silent, SIGCONT wakes it.
   */
  async signalComponent(name: string, signal: NodeJS.Signals): Promise<void> {
    const pid = Number(await readFile(join(this.directory, `${name}.pid`), "utf8"));
    process.kill(pid, signal);
  }

  #answers(): Promise<boolean> {
    return this.kubectl("get", "--raw=/readyz", "--request-timeout=5s").then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    await this.#apiServer?.stop(0);
    await this.#group.stop(0);
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
