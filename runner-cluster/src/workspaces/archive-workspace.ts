import { randomBytes } from "node:crypto";
import { constants, createWriteStream } from "node:fs";
import { access, lstat, open, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ZipFile } from "yazl";
import type { ZipLimits } from "./host-config.ts";
import { isHiddenPath } from "./path-policy.ts";
import type { ProjectLayout } from "./project-layout.ts";
import { isWithin } from "./system-view.ts";
import type { WorkspaceStore } from "./workspace-store.ts";

/** The workspace has more than the configured limits allow in a zip. */
export class ArchiveTooLarge extends Error {
  override readonly name = "ArchiveTooLarge";
}

interface ArchiveEntry {
  /** Workspace-relative, with "/". */
  readonly path: string;
  /** The regular file with the content; for a link the one that it leads to. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly mtime: Date;
}

/**
 * Writes the zip to a temporary file, since the platform must be told the size first, and uploads it. A
 * successor that did not wait longer may have changed files meanwhile, so `assertHeld` is asked again.
 */
export async function archiveWorkspace(
  layout: ProjectLayout,
  limits: ZipLimits,
  store: WorkspaceStore,
  assertHeld: () => void,
): Promise<{ readonly key: string; readonly sizeBytes: number; readonly fileCount: number }> {
  assertHeld();
  const entries = await collectEntries(layout.root, limits);
  const spool = spoolFile(layout, "zip");
  try {
    await writeZip(entries, spool);
    assertHeld();
    const sizeBytes = (await stat(spool)).size;
    const fileCount = entries.length;
    const { key } = await store.upload(spool, { kind: "zip", sizeBytes, fileCount });
    return { key, sizeBytes, fileCount };
  } finally {
    await rm(spool, { force: true });
  }
}

/** Begins with the process's number: what a killed runner leaves is found by it (project-layout.ts). */
export const spoolFile = (layout: ProjectLayout, kind: string): string =>
  join(layout.spool, `${process.pid}-${randomBytes(8).toString("hex")}.${kind}`);

/** Sorted by path, so that equal workspaces give equal zips. Hidden names, links out of the workspace and what our own user may not read are left out. */
async function collectEntries(root: string, limits: ZipLimits): Promise<readonly ArchiveEntry[]> {
  const found: ArchiveEntry[] = [];
  let bytes = 0;
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const place = join(root, folder);
    if (!(await isReadable(place))) continue;
    for (const entry of await readdir(place, { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (isHiddenPath(path)) continue;
      if (entry.isDirectory()) folders.push(path);
      const file = await entryFor(root, path);
      if (file === null) continue;
      found.push(file);
      bytes += file.sizeBytes;
      refuseTooLarge(found.length, bytes, limits);
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function refuseTooLarge(files: number, bytes: number, limits: ZipLimits): void {
  if (files > limits.maxFiles) {
    throw new ArchiveTooLarge(`the workspace has more than ${limits.maxFiles} files`);
  }
  if (bytes > limits.maxBytes) {
    throw new ArchiveTooLarge(`the workspace's files have more than ${limits.maxBytes} bytes`);
  }
}

/** Null: no regular file, nor a link to one that may be shown. */
async function entryFor(root: string, path: string): Promise<ArchiveEntry | null> {
  const place = join(root, path);
  const own = await lstat(place).catch(() => null);
  if (own?.isFile() !== true && own?.isSymbolicLink() !== true) return null;
  const file = own.isFile() ? place : await shownTarget(root, place);
  if (file === null || !(await isReadable(file))) return null;
  const { size, mode, mtime } = own.isFile() ? own : await lstat(file);
  return { path, file, sizeBytes: size, mode, mtime };
}

/** The regular file to which a link leads, unless it is outside or hidden. */
async function shownTarget(root: string, link: string): Promise<string | null> {
  const file = await realpath(link).catch(() => null);
  if (file === null || !isWithin(file, root)) return null;
  if (isHiddenPath(file.slice(root.length + 1))) return null;
  return (await lstat(file)).isFile() ? file : null;
}

const isReadable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

async function writeZip(entries: readonly ArchiveEntry[], spool: string): Promise<void> {
  const zip = new ZipFile();
  for (const { path, file, mode, mtime } of entries) {
    zip.addReadStreamLazy(path, { mtime, mode: mode & 0o100777 }, (answer) => {
      openRegular(file).then(
        (stream) => answer(null, stream),
        (error: unknown) => zip.emit("error", error),
      );
    });
  }
  zip.end();
  const failed = new Promise<never>((_resolve, reject) => zip.once("error", reject));
  const target = createWriteStream(spool, { flags: "wx", mode: 0o600 });
  await Promise.race([pipeline(zip.outputStream, target), failed]).finally(() => target.destroy());
}

/** A link or a pipe may have taken the file's place since it was listed. */
async function openRegular(file: string): Promise<NodeJS.ReadableStream> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle.createReadStream();
  await handle.close();
  throw new Error(`${file} is not a regular file`);
}
