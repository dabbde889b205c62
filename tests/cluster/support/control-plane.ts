import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreV1Api } from "@kubernetes/client-node";
import { findFreePort } from "../../../scripts/free-port.ts";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { clusterRoot } from "./binaries.ts";
import { ClusterAccess } from "./cluster-access.ts";
import { makeFakeNode } from "./make-fake-node.ts";
import { untilReady } from "./until-ready.ts";

const scripts = join(import.meta.dirname, "../control-plane");
const startTimeoutMs = 120_000;

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

export class ControlPlane extends ClusterAccess {
  readonly #group: ProcessGroup;
  #apiServer: ProcessGroup | undefined;

  constructor(directory: string, group: ProcessGroup) {
    super(directory, join(directory, "admin.kubeconfig"));
    this.#group = group;
  }

  async started(): Promise<void> {
    await untilReady({
      what: "the control plane",
      directory: this.directory,
      group: this.#group,
      log: "start.log",
      timeoutMs: startTimeoutMs,
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
