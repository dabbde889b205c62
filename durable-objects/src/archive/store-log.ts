import { encodeRow, hexOf, SnapshotFold } from "@millrace/contracts";
import type { LogRows, Tail } from "../log/log-rows.ts";
import type { LogManifest, LogPart } from "./log-manifest.ts";
import { packPart } from "./pack-part.ts";

interface Stored {
  readonly bucket: R2Bucket;
  /** See `logPrefix`. */
  readonly prefix: string;
}

/**
 * Writes a finished log to R2 and reads every object back. Nothing refers to the objects before the caller has committed
 * the manifest; the log stays where it is until then. Safe to repeat: it writes the same objects again.
 */
export async function storeLog(
  target: Stored,
  log: Pick<LogRows, "rowsFrom">,
  tail: Tail,
): Promise<LogManifest> {
  const parts: LogPart[] = [];
  const fold = new SnapshotFold();
  for (let next = 1; next <= tail.seq;) {
    const packed = packPart(log.rowsFrom(next));
    if (packed === null || packed.first !== next) throw new Error(`log has a gap before ${next}`);
    const { bytes, ...part } = packed;
    for (const row of log.rowsFrom(next)) {
      if (row.first > part.last) break;
      fold.add(encodeRow(row));
    }
    parts.push({ ...part, sha256: await storeObject(target, bytes) });
    next = part.last + 1;
  }
  const text = new TextEncoder().encode(JSON.stringify(fold.snapshot()));
  const snapshotSha256 = await storeObject(target, text);
  return { tail: tail.seq, at: tail.at, parts, snapshotSha256 };
}

/** Deletes what an archiving that died or was outdated left behind. */
export async function sweepLog({ bucket, prefix }: Stored, manifest: LogManifest): Promise<void> {
  const kept = new Set([manifest.snapshotSha256, ...manifest.parts.map(({ sha256 }) => sha256)]);
  for (let cursor: string | undefined; ;) {
    const page = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) });
    const keys = page.objects.map(({ key }) => key);
    const orphans = keys.filter((key) => !kept.has(key.slice(prefix.length)));
    if (orphans.length > 0) await bucket.delete(orphans);
    if (!page.truncated) return;
    cursor = page.cursor;
  }
}

async function storeObject({ bucket, prefix }: Stored, bytes: Uint8Array): Promise<string> {
  const sha256 = await hashOf(bytes);
  await bucket.put(prefix + sha256, bytes, { sha256 });
  const written = await bucket.get(prefix + sha256);
  if (written === null) throw new Error("an archived log object is not there");
  if ((await hashOf(await written.arrayBuffer())) !== sha256) {
    throw new Error("an archived log object is not what was written");
  }
  return sha256;
}

async function hashOf(bytes: BufferSource): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
