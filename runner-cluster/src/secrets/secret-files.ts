import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

interface SecretFile {
  readonly secret: string;
  readonly key: string;
  readonly file: string;
}

/** The files of mounted Secrets: a directory per Secret, a file per key. Without any Secret there is no directory. */
export function secretFiles(folder: string): readonly SecretFile[] {
  return list(folder).flatMap((secret) =>
    list(join(folder, secret)).map((key) => ({ secret, key, file: join(folder, secret, key) })),
  );
}

/** Kubelet's own names begin with two dots. */
function list(folder: string): readonly string[] {
  const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  return isThere ? readdirSync(folder).filter((name) => !name.startsWith("..")) : [];
}
