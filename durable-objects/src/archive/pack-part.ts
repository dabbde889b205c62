import { encodeRow } from "@millrace/contracts";
import type { LogRow } from "../log/log-rows.ts";
import type { LogPart } from "./log-manifest.ts";

/** Immutable objects of at most this size. */
const maxPartBytes = 8 * 1024 * 1024;
/** A read starts at a block: at most about this much is read in vain. */
const blockChars = 256 * 1024;

/** An object as it will be stored; its name is its content's hash, which is not known yet. */
export interface PackedPart extends Omit<LogPart, "sha256"> {
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

/**
 * The next object of a log: rows until it is full. Rows of a run that is over never change, so the same rows always make
 * the same object: an archiving that starts again writes what the one before it wrote. Null: no rows.
 */
export function packPart(rows: Iterable<LogRow>): PackedPart | null {
  const blocks: { first: number; offset: number }[] = [];
  const pieces: Uint8Array[] = [];
  let size = 0;
  let last = 0;
  for (const block of blocksOf(rows)) {
    const bytes = encoder.encode(block.text);
    if (size > 0 && size + bytes.length > maxPartBytes) break;
    if (last > 0 && block.first !== last + 1) throw new Error(`log has a gap after ${last}`);
    blocks.push({ first: block.first, offset: size });
    pieces.push(bytes);
    size += bytes.length;
    last = block.last;
  }
  const [start] = blocks;
  if (start === undefined) return null;
  return { first: start.first, last, size, blocks, bytes: join(pieces, size) };
}

function* blocksOf(rows: Iterable<LogRow>) {
  let text = "";
  let first = 0;
  let last = 0;
  for (const row of rows) {
    if (text !== "" && row.first !== last + 1) throw new Error(`log has a gap after ${last}`);
    if (text === "") first = row.first;
    text += encodeRow(row);
    last = row.first + row.n - 1;
    if (text.length < blockChars) continue;
    yield { text, first, last };
    text = "";
  }
  if (text !== "") yield { text, first, last };
}

function join(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
