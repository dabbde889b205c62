import { forEachLine, jsonOf } from "@millrace/contracts";
import { bytesLines, bytesOf, jsonLine, lineTypes } from "./message-lines.ts";
import type { CreateAnswer, ForkAnswer, StreamConfig, StreamRpc } from "./stream-rpc.ts";

const pageChars = 1024 * 1024;

interface Wish {
  readonly name: string;
  readonly config: StreamConfig;
  readonly fork: NonNullable<StreamConfig["fork"]>;
}

type Copy =
  | {
      readonly ok: true;
      /** Lines that were written. */
      readonly count: number;
      readonly seq: number;
      readonly source: Extract<ForkAnswer, { readonly ok: true }>["source"];
    }
  | Extract<CreateAnswer, { readonly ok: false }>;

const refusals = {
  not_found: "source_not_found",
  gone: "source_gone",
  type: "source_type",
  beyond_end: "fork_beyond_end",
} as const;

/**
 * Takes over what a fork inherits, page by page. It is a copy: a fork reads at full speed, and no source can be pulled
 * from under it.
 */
export async function copyFork(
  source: StreamRpc,
  { name, config, fork }: Wish,
  write: (lines: readonly string[], first: number) => void,
): Promise<Copy> {
  const admitted = await source.admitFork(name, config.contentType, fork.seq);
  if (!admitted.ok) return { ok: false, code: refusals[admitted.code] };
  const { seq } = admitted;
  const isCopied = await copyUpTo(source, seq, write);
  const rest = fork.sub > 0 ? await partAfter(source, seq, fork.sub) : [];
  if (!isCopied || rest === null) {
    await source.releaseFork(name);
    return { ok: false, code: isCopied ? "fork_beyond_end" : "source_not_found" };
  }
  write(rest, seq + 1);
  return { ok: true, count: seq + rest.length, seq, source: admitted.source };
}

/** False: the source was deleted meanwhile. */
async function copyUpTo(
  source: StreamRpc,
  seq: number,
  write: (lines: readonly string[], first: number) => void,
): Promise<boolean> {
  let done = 0;
  while (done < seq) {
    const page = await source.read(done, pageChars);
    if (!page.ok || page.last <= done) return false;
    const lines: string[] = [];
    forEachLine(page.rows, done, {
      line: (line) => {
        if (line.seq <= seq) lines.push(`${line.type}\t${jsonOf(line)}\n`);
      },
    });
    write(lines, done + 1);
    done += lines.length;
  }
  return true;
}

/** The first `sub` messages or bytes after `seq`; null when there are fewer. */
async function partAfter(source: StreamRpc, seq: number, sub: number): Promise<string[] | null> {
  const page = await source.read(seq, pageChars);
  if (!page.ok) return null;
  const taken: string[] = [];
  let left = sub;
  forEachLine(page.rows, seq, {
    line: (line) => {
      if (left === 0) return;
      if (line.type === lineTypes.json) {
        taken.push(jsonLine(jsonOf(line)));
        left -= 1;
        return;
      }
      const bytes = bytesOf(jsonOf(line)).subarray(0, left);
      taken.push(...bytesLines(bytes));
      left -= bytes.byteLength;
    },
  });
  return left === 0 ? taken : null;
}
