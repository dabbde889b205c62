import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A Secret as kubelet mounts it: each key is a link into `..data`, itself a link to a directory of one version, and a
 * change is another directory with the link moved over, so that no reader sees half of it.
 */
export class MountedSecret {
  readonly #directory: string;
  #version = 0;

  constructor(directory: string, key: string, value: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    symlinkSync(join("..data", key), this.path(key));
    this.replace(key, value);
  }

  path(key: string): string {
    return join(this.#directory, key);
  }

  replace(key: string, value: string): void {
    const before = `..${this.#version}`;
    const now = `..${(this.#version += 1)}`;
    mkdirSync(join(this.#directory, now));
    writeFileSync(join(this.#directory, now, key), value);
    symlinkSync(now, join(this.#directory, "..data_tmp"));
    renameSync(join(this.#directory, "..data_tmp"), join(this.#directory, "..data"));
    rmSync(join(this.#directory, before), { recursive: true, force: true });
  }
}
