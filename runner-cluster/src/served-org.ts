import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/**
 * The one org whose files may lie in a workspace root: commands of one run can reach the files of
 * another, so a host runner never mixes tenants. The first org served is remembered for ever, by every runner on the
 * same root.
 */
export class ServedOrg {
  readonly #directory: string;
  #orgId: string | undefined;

  constructor(workspaceRoot: string) {
    this.#directory = join(workspaceRoot, ".millrace");
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** The org that was served first, if any was. */
  current(): string | undefined {
    this.#orgId ??= this.#load();
    return this.#orgId;
  }

  /** Binds the root to this org, durably; false when another was first. */
  claim(orgId: string): boolean {
    const current = this.current();
    if (current !== undefined) return current === orgId;
    const temporary = join(this.#directory, `org.${process.pid}`);
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", 0o600);
    writeSync(file, `${orgId}\n`);
    fsyncSync(file);
    closeSync(file);
    try {
      // A link appears whole or not at all, and only one of several runners makes it.
      linkSync(temporary, this.#file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
    return this.current() === orgId;
  }

  get #file(): string {
    return join(this.#directory, "org");
  }

  #load(): string | undefined {
    try {
      return readFileSync(this.#file, "utf8").trim() || undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
}
