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
      readonly lines: readonly string[];
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

/** Takes over what a fork inherits. It is a copy: a fork reads at full speed, and no source can be pulled from under it. */
export async function copyFork(source: StreamRpc, { name, config, fork }: Wish): Promise<Copy> {
  const admitted = await source.admitFork(name, config.contentType, fork.seq);
  if (!admitted.ok) return { ok: false, code: refusals[admitted.code] };
  const { seq } = admitted;
  const lines = await linesUpTo(source, seq);
  const rest = fork.sub > 0 ? await partAfter(source, seq, fork.sub) : [];
  if (lines === null || rest === null) {
    await source.releaseFork(name);
    return { ok: false, code: lines === null ? "source_not_found" : "fork_beyond_end" };
  }
  return { ok: true, lines: [...lines, ...rest], seq, source: admitted.source };
}

async function linesUpTo(source: StreamRpc, seq: number): Promise<string[] | null> {
  const lines: string[] = [];
  while (lines.length < seq) {
    const page = await source.read(lines.length, pageChars);
    // Deleted meanwhile.
    if (!page.ok || page.last <= lines.length) return null;
    forEachLine(page.rows, lines.length, {
      line: (line) => {
        if (line.seq <= seq) lines.push(`${line.type}\t${jsonOf(line)}\n`);
      },
    });
  }
  return lines;
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
