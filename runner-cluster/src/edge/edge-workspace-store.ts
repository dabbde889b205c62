import { open, type FileHandle } from "node:fs/promises";
import { limits, type UploadComplete, type UploadedPart } from "@millrace/contracts";
import type { UploadMeta, WorkspaceStore } from "../workspaces/workspace-store.ts";
import type { EdgeClient, OpenUpload } from "./edge-client.ts";

export interface StoreSignals {
  /** Ends uploads: those of a cancelled run go on until the platform refuses them. */
  readonly uploads: AbortSignal;
  /** Ends downloads: with the attempt. */
  readonly downloads: AbortSignal;
}

/** Archives and bundles of one attempt, kept in the platform's object storage. */
export class EdgeWorkspaceStore implements WorkspaceStore {
  readonly #edge: EdgeClient;
  readonly #signals: StoreSignals;

  constructor(edge: EdgeClient, signals: StoreSignals) {
    this.#edge = edge;
    this.#signals = signals;
  }

  async upload(file: string, meta: UploadMeta): Promise<{ readonly key: string }> {
    const signal = this.#signals.uploads;
    const handle = await open(file, "r");
    try {
      const upload = await this.#edge.beginUpload(meta.kind, meta.sizeBytes, signal);
      await this.#uploadParts(handle, upload, meta);
      return { key: upload.key };
    } finally {
      await handle.close();
    }
  }

  downloadBundle(file: string): Promise<boolean> {
    return this.#edge.getWorkspace(file, this.#signals.downloads);
  }

  async #uploadParts(handle: FileHandle, upload: OpenUpload, meta: UploadMeta): Promise<void> {
    const signal = this.#signals.uploads;
    try {
      const parts: UploadedPart[] = [];
      const count = Math.max(1, Math.ceil(meta.sizeBytes / limits.archivePartBytes));
      for (let part = 1; part <= count; part += 1) {
        const bytes = await readPart(handle, part, meta.sizeBytes);
        parts.push(await this.#edge.putPart(upload, part, bytes, signal));
      }
      await this.#edge.completeUpload(upload.uploadId, stored(meta, upload.key, parts), signal);
    } catch (error) {
      // Best effort: the platform aborts what nobody completes.
      await this.#edge.abortUpload(upload, AbortSignal.timeout(5_000)).catch(() => undefined);
      throw error;
    }
  }
}

function stored(meta: UploadMeta, key: string, parts: UploadedPart[]): UploadComplete {
  switch (meta.kind) {
    case "zip": {
      const { kind, sizeBytes, fileCount } = meta;
      return { kind, key, sizeBytes, fileCount, parts };
    }
    case "bundle": {
      const { kind, sizeBytes, tree } = meta;
      return { kind, key, sizeBytes, tree, parts };
    }
  }
}

async function readPart(
  handle: FileHandle,
  part: number,
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const position = (part - 1) * limits.archivePartBytes;
  const bytes = new Uint8Array(Math.min(limits.archivePartBytes, sizeBytes - position));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(
      bytes,
      filled,
      bytes.length - filled,
      position + filled,
    );
    if (bytesRead === 0) throw new Error("the spooled archive is shorter than it said");
    filled += bytesRead;
  }
  return bytes;
}
