import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { relay } from "../node/relay.ts";
import { clusterRoot } from "./binaries.ts";
import { ClusterAccess } from "./cluster-access.ts";
import type { Values } from "./helm.ts";
import { untilReady } from "./until-ready.ts";

const script = join(import.meta.dirname, "../node/node.sh");
const relayScript = join(import.meta.dirname, "../node/relay.ts");
const startTimeoutMs = 180_000;
/** Of the node, as its pods see it. */
export const nodeAddress = "192.168.77.1";
const run = promisify(execFile);

/** The chart's values for this node: where it differs from a cluster with a network of its own. */
export const nodeValues = (modelUrl: string): Values => ({
  "edge.cidrs": JSON.stringify([`${nodeAddress}/32`]),
  "operator.apiServerPorts": "[16443]",
  // The node itself answers names, no pod does.
  "networkPolicy.dns.podLabels": null,
  "networkPolicy.egress.rules": JSON.stringify([
    {
      ports: [{ protocol: "TCP", port: Number(new URL(modelUrl).port) }],
      to: [{ ipBlock: { cidr: `${nodeAddress}/32` } }],
    },
  ]),
  "image.registry": "localhost/",
  "image.runner.tag": "test",
  "image.operator.tag": "test",
  "image.pullPolicy": "Never",
});

/** Where the global setup puts an image. */
export const archiveOf = (image: string): string => join(clusterRoot, "archives", `${image}.tar`);

/** A node that really runs pods, with a control plane of its own, in namespaces that end with this process. */
export async function startRealNode(): Promise<RealNode> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-node-"));
  const group = await ProcessGroup.spawn({
    command: script,
    args: ["run"],
    cwd: directory,
    env: nodeEnv(directory),
    logFile: join(directory, "log"),
  });
  const node = new RealNode(directory, group);
  try {
    await node.started();
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

const nodeEnv = (directory: string): NodeJS.ProcessEnv => ({
  ...process.env,
  K8S_ROOT: clusterRoot,
  K8S_NODE: directory,
  NODE_BINARY: process.execPath,
});

export class RealNode extends ClusterAccess {
  readonly #group: ProcessGroup;
  readonly #servers: Server[] = [];
  readonly #relays: ProcessGroup[] = [];

  constructor(directory: string, group: ProcessGroup) {
    super(directory, join(directory, "outside.kubeconfig"));
    this.#group = group;
  }

  async started(): Promise<void> {
    await untilReady({
      what: "the node",
      directory: this.directory,
      group: this.#group,
      log: "log",
      timeoutMs: startTimeoutMs,
    });
    const server = await relay("127.0.0.1:0", join(this.directory, "api.sock"));
    this.#servers.push(server);
    const { port } = server.address() as AddressInfo;
    const inside = await readFile(join(this.directory, "cp/admin.kubeconfig"), "utf8");
    const outside = inside.replace(/https:\/\/[\d.]+:\d+/, `https://127.0.0.1:${port}`);
    await writeFile(this.kubeconfig, outside, { mode: 0o600 });
  }

  /** Runs a command in the node's namespaces. */
  async exec(...args: readonly string[]): Promise<string> {
    const { stdout } = await run(script, ["exec", ...args], {
      env: { ...nodeEnv(this.directory), CONTAINERD_NAMESPACE: "k8s.io" },
      maxBuffer: 64 << 20,
    });
    return stdout;
  }

  async importImage(archive: string): Promise<void> {
    await this.exec("ctr", "images", "import", archive);
  }

  /** Lets pods reach a server on this machine, at an address of the node; answers where they find it. */
  async expose(url: string, address = nodeAddress): Promise<string> {
    const { hostname, port, pathname } = new URL(url);
    const socket = join(this.directory, `expose-${address}-${port}.sock`);
    this.#servers.push(await relay(socket, `${hostname}:${port}`));
    this.#relays.push(
      await ProcessGroup.spawn({
        command: script,
        args: ["exec", process.execPath, relayScript, `${address}:${port}`, socket],
        cwd: this.directory,
        env: nodeEnv(this.directory),
        logFile: join(this.directory, `expose-${address}-${port}.log`),
      }),
    );
    return `http://${address}:${port}${pathname === "/" ? "" : pathname}`;
  }

  async stop(): Promise<void> {
    for (const one of this.#relays) await one.stop(0);
    for (const server of this.#servers) server.close();
    await this.#group.stop(0);
    await run(script, ["clean"], { env: nodeEnv(this.directory) });
  }
}
