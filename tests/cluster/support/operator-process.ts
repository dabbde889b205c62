import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkout } from "../../support/build-paths.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface OperatorSettings {
  readonly edgeUrl: string;
  /** Parts of the settings' file that differ from the least one. */
  readonly sessions?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** The operator as a process, beside the control plane. Its log lies with the others. */
export class OperatorProcess {
  readonly #plane: ControlPlane;
  readonly #settings: OperatorSettings;
  #child: ChildProcess | undefined;

  constructor(plane: ControlPlane, settings: OperatorSettings) {
    this.#plane = plane;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    const { directory, kubeconfig } = this.#plane;
    const { edgeUrl, sessions, env } = this.#settings;
    await mkdir(directory, { recursive: true });
    const token = join(directory, "pool-token");
    const file = join(directory, "sessions.json");
    await writeFile(token, "pool-token");
    await writeFile(file, JSON.stringify({ image: "localhost/runner:1", ...sessions }));
    const child = spawn(process.execPath, [join(checkout, "operator/src/main.ts")], {
      env: {
        PATH: process.env["PATH"],
        KUBECONFIG: kubeconfig,
        EDGE_URL: edgeUrl,
        POOL_TOKEN_FILE: token,
        SESSION_SETTINGS_FILE: file,
        HTTP_HOST: "127.0.0.1",
        HTTP_PORT: "0",
        LEASE_SECONDS: "6",
        ...env,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.pipe(createWriteStream(join(directory, "operator.log"), { flags: "a" }));
    this.#child = child;
  }

  /** kill -9, as when its node dies. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}
