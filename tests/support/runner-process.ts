import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProcessGroup, type Exit } from "../../scripts/process-group.ts";
import { checkout } from "./build-paths.ts";
import { releaseAtEnd } from "./cleanup.ts";
import { makeTempDir } from "./temp.ts";
import { waitUntil } from "./wait-until.ts";

export interface RunnerOptions {
  /** The edge, or a TcpProxy in front of it. */
  readonly edgeUrl: string;
  readonly poolToken: string;
  /** A directory of its own when none is given: a runner that shares no disk with another. */
  readonly workspaceRoot?: string;
  readonly stateDir?: string;
  /** More of its environment: OPENAI_BASE_URL, OPENAI_API_KEY, COMMAND_TIMEOUT_MS, RUNNER_SLOTS, … */
  readonly env?: Readonly<Record<string, string>>;
}

/** A real runner, as a process group of its own. It is killed at the end of the test or file. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const directory = await makeTempDir("runner");
  const stateDir = options.stateDir ?? join(directory, "state");
  const workspaceRoot = options.workspaceRoot ?? join(directory, "workspaces");
  const logFile = join(directory, "runner.log");
  const group = await ProcessGroup.spawn({
    command: process.execPath,
    args: [join(checkout, "runner-cluster/src/main.ts")],
    cwd: checkout,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      EDGE_URL: options.edgeUrl,
      POOL_TOKEN: options.poolToken,
      STATE_DIR: stateDir,
      WORKSPACE_ROOT: workspaceRoot,
      ...options.env,
    },
    logFile,
  });
  const runner = new Runner(group, { stateDir, workspaceRoot, logFile });
  releaseAtEnd(() => runner.kill());
  return runner;
}

interface RunnerPlaces {
  readonly stateDir: string;
  readonly workspaceRoot: string;
  readonly logFile: string;
}

export class Runner {
  /** Stays the same although the runner executes itself anew at its start. */
  readonly pid: number;
  readonly stateDir: string;
  readonly workspaceRoot: string;
  readonly #group: ProcessGroup;
  readonly #logFile: string;

  constructor(group: ProcessGroup, places: RunnerPlaces) {
    this.pid = group.pid;
    this.stateDir = places.stateDir;
    this.workspaceRoot = places.workspaceRoot;
    this.#logFile = places.logFile;
    this.#group = group;
  }

  get exited(): Promise<Exit> {
    return this.#group.exited;
  }

  /** kill -9 of the runner. Its commands are in groups of their own: that they end too is its own affair. */
  async kill(): Promise<void> {
    this.#group.signal("SIGKILL");
    await this.#group.exited;
  }

  /** Resolves when the pool knows this runner. */
  async joined(): Promise<void> {
    const said = async (): Promise<boolean> => (await this.log()).includes("joined the pool");
    await waitUntil("the runner joins the pool", said);
  }

  /** SIGSTOP, SIGCONT, SIGTERM, … */
  signal(signal: NodeJS.Signals): void {
    this.#group.signal(signal);
  }

  /** SIGTERM: the runner drains and ends by itself, or is killed after `graceMs`. */
  stop(graceMs = 30_000): Promise<Exit> {
    return this.#group.stop(graceMs);
  }

  /** What the runner wrote so far, for a failing test to show. */
  log(): Promise<string> {
    return readFile(this.#logFile, "utf8");
  }
}
