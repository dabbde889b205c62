import { closeSync, constants, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ToolRefusal } from "./tool.ts";

/**
 * Writes a whole file in one synchronous turn, as `Workspace.mutate` demands. The path was resolved
 * before, so a symlink at its end has appeared since, and is not followed.
 */
export function writeText(absolute: string, text: string): void {
  mkdirSync(dirname(absolute), { recursive: true });
  const file = openForWriting(absolute);
  try {
    ftruncateSync(file, 0);
    const bytes = Buffer.from(text, "utf8");
    let written = 0;
    while (written < bytes.length) written += writeSync(file, bytes, written);
  } finally {
    closeSync(file);
  }
}

function openForWriting(absolute: string): number {
  // Without O_NONBLOCK the open of a pipe nobody reads would stop this process.
  const flags =
    constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(absolute, flags, 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ToolRefusal("not_writable", `The file cannot be written (${code}).`, {
      cause: error,
    });
  }
}
