import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { binary } from "./binaries.ts";

const run = promisify(execFile);

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Ways into a cluster of the tests, as its administrator and as others. */
export class ClusterAccess {
  /** State and logs. Gone when the cluster is stopped. */
  readonly directory: string;
  /** Of the cluster's administrator, by a client certificate. */
  readonly kubeconfig: string;

  constructor(directory: string, kubeconfig: string) {
    this.directory = directory;
    this.kubeconfig = kubeconfig;
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
}
