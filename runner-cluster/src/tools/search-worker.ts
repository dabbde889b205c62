import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { glob } from "tinyglobby";
import { isBinary } from "./read-file.ts";
import type { GrepMatch, SearchRequest, SearchResult } from "./search.ts";
import { toolBounds } from "./tool-bounds.ts";

// A worker of its own: patterns come from a model, and one that backtracks for ever must be killable.
const request = workerData as SearchRequest;
const result = request.kind === "list" ? await list(request) : grep(request);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
parentPort?.postMessage(result);

type Of<Kind extends SearchRequest["kind"]> = Extract<SearchRequest, { readonly kind: Kind }>;

async function list(search: Of<"list">): Promise<SearchResult> {
  const paths = await glob(search.pattern, {
    cwd: search.directory,
    dot: true,
    followSymbolicLinks: false,
    expandDirectories: false,
    ignore: ["**/node_modules/**", "**/.git/**"],
  });
  return { kind: "listed", paths: paths.toSorted() };
}

function grep(search: Of<"grep">): SearchResult {
  const matches: GrepMatch[] = [];
  const hits = matcherOf(search);
  let skipped = 0;
  for (const path of search.paths) {
    const text = textOf(join(search.directory, path));
    if (text === "too_large") skipped += 1;
    if (typeof text === "string") continue;
    for (const match of matchesIn(text.bytes, path, hits)) {
      if (matches.length >= toolBounds.grepMaxMatches) {
        return { kind: "grepped", matches, cut: true, skipped };
      }
      matches.push(match);
    }
  }
  return { kind: "grepped", matches, cut: false, skipped };
}

function matcherOf(search: Of<"grep">): (line: string) => boolean {
  if (search.regex) {
    const expression = new RegExp(search.pattern, search.ignoreCase ? "iu" : "u");
    return (line) => expression.test(line);
  }
  if (!search.ignoreCase) return (line) => line.includes(search.pattern);
  const lower = search.pattern.toLowerCase();
  return (line) => line.toLowerCase().includes(lower);
}

function* matchesIn(
  bytes: Buffer,
  path: string,
  hits: (line: string) => boolean,
): Generator<GrepMatch> {
  for (const [index, line] of bytes.toString("utf8").split("\n").entries()) {
    if (!hits(line)) continue;
    yield { path, line: index + 1, text: line.slice(0, toolBounds.grepLineChars) };
  }
}

/** `nothing` for what is not worth a search: links, directories, binary files, files gone meanwhile. */
function textOf(absolute: string): { readonly bytes: Buffer } | "nothing" | "too_large" {
  try {
    const found = lstatSync(absolute);
    if (!found.isFile()) return "nothing";
    if (found.size > toolBounds.grepMaxFileBytes) return "too_large";
    const bytes = readFileSync(absolute);
    return isBinary(bytes) ? "nothing" : { bytes };
  } catch {
    return "nothing";
  }
}
