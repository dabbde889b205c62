import { randomUUID } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import { findFreePort } from "../../scripts/free-port.ts";
import { ProcessGroup } from "../../scripts/process-group.ts";
import { Api } from "./api.ts";
import { buildPaths, checkout } from "./build-paths.ts";
import { releaseAtEnd } from "./cleanup.ts";
import type { EdgeSettings } from "./edge-process.ts";
import { makeTempDir } from "./temp.ts";

export interface PlatformOptions {
  /** Settings of the Worker (`PlatformEnv`): LEASE_MS, DISPATCH_FAST_PATH, MAX_ATTEMPTS, … */
  readonly vars?: Readonly<Record<string, string>>;
  /** Another Worker than the product's own: a directory as `buildWorker` fills it. */
  readonly build?: string;
}

/**
 * A real edge with empty state, as a process of its own. It stops, and its state goes, at the end of the
 * test or file that started it.
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const directory = await makeTempDir("edge");
  const build = options.build ?? inject("workerBuild");
  const persistTo = join(directory, "state");
  await cp(join(buildPaths(build).migrated, "v3"), persistTo, { recursive: true });
  const platform = new Platform(directory, {
    build,
    persistTo,
    port: await findFreePort("127.0.0.1"),
    vars: {
      AGENT_API_KEY: `key-${randomUUID()}`,
      POOL_TOKEN: `pool-${randomUUID()}`,
      RUN_TOKEN_SECRET: randomUUID(),
      SEALING_KEY: randomUUID(),
      ...options.vars,
    },
  });
  releaseAtEnd(() => platform.kill());
  await platform.start();
  return platform;
}

export class Platform {
  readonly url: string;
  readonly apiKey: string;
  readonly poolToken: string;
  /** A client with the platform's key. */
  readonly api: Api;
  readonly #directory: string;
  readonly #settings: EdgeSettings;
  #process: ProcessGroup | null = null;

  constructor(directory: string, settings: EdgeSettings) {
    this.#directory = directory;
    this.#settings = settings;
    this.url = `http://127.0.0.1:${settings.port}`;
    this.apiKey = settings.vars["AGENT_API_KEY"] ?? "";
    this.poolToken = settings.vars["POOL_TOKEN"] ?? "";
    this.api = new Api(this.url, this.apiKey);
  }

  /** Starts the edge on the state that is there, at the same port; resolves when it answers. */
  async start(): Promise<void> {
    const settingsFile = join(this.#directory, "settings.json");
    await writeFile(settingsFile, JSON.stringify(this.#settings));
    this.#process = await ProcessGroup.spawn({
      command: process.execPath,
      args: [join(checkout, "tests/support/edge-process.ts"), settingsFile],
      cwd: checkout,
      env: process.env,
      logFile: this.#logFile,
    });
    await this.#answers(this.#process);
  }

  /** kill -9 of node and workerd alike. */
  async kill(): Promise<void> {
    this.#process?.signal("SIGKILL");
    await this.#process?.exited;
  }

  /** kill -9, `awayMs` of silence, and a new edge on the same state. */
  async restart(awayMs = 0): Promise<void> {
    await this.kill();
    await sleep(awayMs);
    await this.start();
  }

  /** What the edge wrote so far, for a failing test to show. */
  log(): Promise<string> {
    return readFile(this.#logFile, "utf8").catch(() => "");
  }

  /** Where Miniflare keeps databases and objects. */
  get stateDirectory(): string {
    return this.#settings.persistTo;
  }

  get #logFile(): string {
    return join(this.#directory, "edge.log");
  }

  async #answers(edge: ProcessGroup): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!edge.isOver && Date.now() < deadline) {
      const signal = AbortSignal.timeout(5_000);
      const response = await fetch(`${this.url}/health`, { signal }).catch(() => null);
      await response?.body?.cancel();
      if (response?.ok) return;
      await sleep(50);
    }
    throw new Error(`the edge does not answer:\n${await this.log()}`);
  }
}
