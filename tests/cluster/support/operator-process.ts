import { mkdtempSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "../../../scripts/free-port.ts";
import { ProcessGroup } from "../../../scripts/process-group.ts";
import { checkout } from "../../support/build-paths.ts";
import { MountedSecret } from "../../support/mounted-secret.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface OperatorSettings {
  readonly edgeUrl: string;
  /** Of its log among the others, and of its process in the Lease. Default operator. */
  readonly name?: string;
  /** Who it is, and by which way it goes to the API server. Default the administrator. */
  readonly kubeconfig?: string;
  /** Parts of the settings' file that differ from the least one. */
  readonly sessions?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

const drainMs = 20_000;

/** The operator as a process, beside the control plane. Its log lies with the others. */
export class OperatorProcess {
  readonly #plane: ControlPlane;
  readonly #settings: OperatorSettings;
  #poolToken: MountedSecret | undefined;
  #group: ProcessGroup | undefined;
  #port = 0;

  constructor(plane: ControlPlane, settings: OperatorSettings) {
    this.#plane = plane;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    const { directory, kubeconfig } = this.#plane;
    const { edgeUrl, name = "operator", sessions, env } = this.#settings;
    await mkdir(directory, { recursive: true });
    const file = join(directory, `${name}-sessions.json`);
    await writeFile(file, JSON.stringify({ image: "localhost/runner:1", ...sessions }));
    this.#port = await findFreePort("127.0.0.1");
    this.#group = await ProcessGroup.spawn({
      command: process.execPath,
      args: [join(checkout, "operator/src/main.ts")],
      cwd: directory,
      env: {
        PATH: process.env["PATH"],
        KUBECONFIG: this.#settings.kubeconfig ?? kubeconfig,
        POD_NAME: name,
        EDGE_URL: edgeUrl,
        POOL_TOKEN_FILE: this.#mountToken(name).path("token"),
        SESSION_SETTINGS_FILE: file,
        HTTP_HOST: "127.0.0.1",
        HTTP_PORT: String(this.#port),
        LEASE_SECONDS: "6",
        // Half of a start is compiling what the last start had compiled.
        NODE_COMPILE_CACHE: join(directory, "compiled"),
        ...env,
      },
      logFile: join(directory, `${name}.log`),
    });
  }

  /** The Secret that its pod has mounted says so from now on. */
  replacePoolToken(token: string): void {
    this.#poolToken?.replace("token", token);
  }

  #mountToken(name: string): MountedSecret {
    // Of each its own: one that is started in the place of another begins anew.
    this.#poolToken ??= new MountedSecret(
      mkdtempSync(join(this.#plane.directory, `${name}-pool-`)),
      "token",
      "pool-token",
    );
    return this.#poolToken;
  }

  /** SIGSTOP freezes it in the middle of its work, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void {
    this.#group?.signal(signal);
  }

  /** What stands behind `/metrics` or another path of its probes; undefined while nobody answers. */
  async probe(path: string): Promise<string | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}${path}`);
      return response.ok ? await response.text() : undefined;
    } catch {
      return undefined;
    }
  }

  /** As Kubernetes ends a pod: it gives its Lease back. */
  stop(): Promise<void> {
    return this.#end(drainMs);
  }

  /** kill -9, as when its node dies. */
  kill(): Promise<void> {
    return this.#end(0);
  }

  /** As `kill`, and the next one leads at once: what is left of the Lease is not waited for. */
  async killAndFreeLease(): Promise<void> {
    await this.kill();
    await this.#plane.kubectl("delete", "lease", "millrace-operator", "--ignore-not-found");
  }

  /** Another process after a kill -9. */
  async replace(): Promise<void> {
    await this.killAndFreeLease();
    await this.start();
  }

  async #end(graceMs: number): Promise<void> {
    const group = this.#group;
    this.#group = undefined;
    await group?.stop(graceMs);
  }
}
