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
  for (const path of search.paths) {
    const room = toolBounds.grepMaxMatches - matches.length;
    if (room <= 0) return { kind: "grepped", matches, cut: true };
    matches.push(...grepFile(join(search.directory, path), path, hits).slice(0, room));
  }
  return { kind: "grepped", matches, cut: false };
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

function grepFile(
  absolute: string,
  path: string,
  hits: (line: string) => boolean,
): readonly GrepMatch[] {
  const text = textOf(absolute);
  if (text === null) return [];
  return text
    .split("\n")
    .map((line, index) => ({ path, line: index + 1, text: line }))
    .filter((candidate) => hits(candidate.text))
    .map((match) => ({ ...match, text: match.text.slice(0, toolBounds.grepLineChars) }));
}

/** Null for what is not worth a search: links, directories, large and binary files, files gone meanwhile. */
function textOf(absolute: string): string | null {
  try {
    const found = lstatSync(absolute);
    if (!found.isFile() || found.size > toolBounds.grepMaxFileBytes) return null;
    const bytes = readFileSync(absolute);
    return isBinary(bytes) ? null : bytes.toString("utf8");
  } catch {
    return null;
  }
}
