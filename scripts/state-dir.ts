import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative, sep } from "node:path";
import { StartRefused, type Settings } from "./settings.ts";

/** Raised when what lies in a state directory can no longer be read by what is in the checkout. */
const layout = "1";

export interface Secrets {
  readonly apiKey: string;
  readonly poolToken: string;
  readonly runTokenSecret: string;
  readonly sealingKey: string;
  /** Some of them were made by this start. */
  readonly isNew: { readonly apiKey: boolean; readonly poolToken: boolean };
}

/** The directory of one local installation: databases, secrets, logs. One process uses it at a time. */
export class StateDir {
  readonly path: string;
  readonly #lock: string;

  private constructor(path: string) {
    this.path = path;
    this.#lock = join(path, "in-use-by");
  }

  /** Creates it, private to this user, and takes it. Throws StartRefused. */
  static open(settings: Settings): StateDir {
    refuseForeign(settings.stateDir);
    makePrivate(settings.stateDir);
    mkdirSync(settings.workspaceRoot, { recursive: true });
    refuseNesting(settings);
    const state = new StateDir(settings.stateDir);
    state.#refuseOtherLayout();
    state.#take();
    return state;
  }

  /** What wrangler persists, and what else the edge needs. */
  get edge(): string {
    return this.#directory("edge");
  }

  /** For the runner's own use. */
  get runner(): string {
    return this.#directory("runner");
  }

  /** A log of this start; that of the start before is kept beside it. */
  newLog(name: string): string {
    const file = join(this.#directory("logs"), `${name}.log`);
    if (existsSync(file)) renameSync(file, join(this.path, "logs", `${name}.previous.log`));
    writeFileSync(file, "", { mode: 0o600 });
    return file;
  }

  /** A file that only this user can read. */
  writePrivate(name: string, text: string): string {
    const file = join(this.path, name);
    rmSync(file, { force: true }); // a mode is given only to a file that is new
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** Those given, else those kept from an earlier start, else new ones, which are kept. */
  secrets(given: Pick<Settings, "apiKey" | "poolToken">): Secrets {
    const apiKey = this.#kept("api-key", "dev");
    const poolToken = this.#kept("pool-token", "pool");
    return {
      apiKey: given.apiKey ?? apiKey.value,
      poolToken: given.poolToken ?? poolToken.value,
      runTokenSecret: this.#kept("run-token-secret", "run").value,
      sealingKey: this.#kept("sealing-key", "seal").value,
      isNew: { apiKey: apiKey.isNew, poolToken: poolToken.isNew },
    };
  }

  /** Have these migrations been applied to this state? */
  hasMigrated(names: readonly string[]): boolean {
    const file = join(this.path, "migrated");
    return existsSync(file) && readFileSync(file, "utf8") === names.join("\n");
  }

  setMigrated(names: readonly string[]): void {
    this.writePrivate("migrated", names.join("\n"));
  }

  release(): void {
    rmSync(this.#lock, { force: true });
  }

  #kept(name: string, prefix: string): { readonly value: string; readonly isNew: boolean } {
    const file = join(this.path, name);
    if (existsSync(file)) return { value: readFileSync(file, "utf8").trim(), isNew: false };
    const value = `${prefix}_${randomBytes(24).toString("base64url")}`;
    this.writePrivate(name, `${value}\n`);
    return { value, isNew: true };
  }

  #directory(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  #refuseOtherLayout(): void {
    const file = join(this.path, "layout");
    if (!existsSync(file)) writeFileSync(file, `${layout}\n`, { mode: 0o600 });
    const found = readFileSync(file, "utf8").trim();
    if (found === layout) return;
    throw new StartRefused(
      `${this.path} was written by another version (layout ${found}, this one is ${layout}). ` +
        `Move it away, or choose another with STATE_DIR.`,
    );
  }

  #take(): void {
    const owner = existsSync(this.#lock) ? Number(readFileSync(this.#lock, "utf8")) : 0;
    if (owner > 0 && owner !== process.pid && isAlive(owner)) {
      throw new StartRefused(
        `${this.path} is in use by process ${owner}. Stop that one, or choose another with STATE_DIR. ` +
          `(If it is something else, remove ${this.#lock}.)`,
      );
    }
    rmSync(this.#lock, { force: true });
    // Of two that start at once the second finds the file of the first.
    writeFileSync(this.#lock, String(process.pid), { mode: 0o600, flag: "wx" });
  }
}

/** A home directory or /tmp, named by mistake, must not be made private to this user. */
function refuseForeign(path: string): void {
  if (!existsSync(path)) return;
  const isDirectory = statSync(path).isDirectory();
  if (isDirectory && (existsSync(join(path, "layout")) || readdirSync(path).length === 0)) return;
  throw new StartRefused(
    `${path} holds something else. STATE_DIR is a directory that is new, empty or from an earlier start.`,
  );
}

function makePrivate(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
}

/** A command of an agent may read and write the workspaces; keys and databases must not lie among them. */
function refuseNesting(settings: Settings): void {
  const state = realpathSync(settings.stateDir);
  const workspaces = realpathSync(settings.workspaceRoot);
  if (!contains(workspaces, state) && !contains(state, workspaces)) return;
  throw new StartRefused(
    `STATE_DIR (${state}) and WORKSPACE_ROOT (${workspaces}) must lie apart, neither inside the other.`,
  );
}

function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === "" || (path !== ".." && !path.startsWith(`..${sep}`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
