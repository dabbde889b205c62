import { Worker } from "node:worker_threads";
import { siblingProgram } from "../sibling-program.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import { statOf } from "./stat-of.ts";
import { toolBounds } from "./tool-bounds.ts";
import { ToolRefusal } from "./tool.ts";

export type SearchRequest =
  | { readonly kind: "list"; readonly directory: string; readonly pattern: string }
  | {
      readonly kind: "grep";
      readonly directory: string;
      readonly paths: readonly string[];
      readonly pattern: string;
      readonly regex: boolean;
      readonly ignoreCase: boolean;
    };

export interface GrepMatch {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export type SearchResult =
  | { readonly kind: "listed"; readonly paths: readonly string[] }
  | {
      readonly kind: "grepped";
      readonly matches: readonly GrepMatch[];
      readonly cut: boolean;
      /** Files that are too large to search. */
      readonly skipped: number;
    };

/** The visible files below a directory that a glob names, relative to that directory. */
export async function listFiles(
  workspace: Workspace,
  below: string,
  pattern: string,
  signal: AbortSignal,
): Promise<{ readonly directory: string; readonly paths: readonly string[] }> {
  if (pattern.startsWith("/") || pattern.split("/").includes("..")) {
    throw new ToolRefusal("outside_workspace", "A pattern is relative and has no `..`.");
  }
  const directory = await workspace.resolve(below, "read");
  const found = await statOf(directory, below);
  if (!found.isDirectory())
    throw new ToolRefusal("not_a_directory", `${below} is not a directory.`);
  const result = await search({ kind: "list", directory, pattern }, signal);
  const paths = result.kind === "listed" ? result.paths : [];
  const prefix = below === "" ? "" : `${below}/`;
  return { directory, paths: paths.filter((path) => !workspace.hides(prefix + path)) };
}

/** Runs a search in a worker that is ended when it takes too long or the call is aborted. */
export async function search(
  request: SearchRequest,
  signal: AbortSignal,
  program: string | URL = siblingProgram("search-worker", import.meta.url),
): Promise<SearchResult> {
  const timeout = AbortSignal.timeout(toolBounds.searchTimeoutMs);
  const stop = AbortSignal.any([signal, timeout]);
  stop.throwIfAborted();
  const worker = new Worker(program, {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
    env: {},
  });
  try {
    return await resultOf(worker, stop);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) {
      const seconds = toolBounds.searchTimeoutMs / 1000;
      throw new ToolRefusal(
        "too_slow",
        `The search took longer than ${seconds} s. Use a simpler pattern or a narrower path.`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new ToolRefusal("search_failed", `The search failed: ${reason}`, { cause: error });
  } finally {
    await worker.terminate();
  }
}

function resultOf(worker: Worker, stop: AbortSignal): Promise<SearchResult> {
  const { promise, resolve, reject } = Promise.withResolvers<SearchResult>();
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", () => reject(new Error("the search ended without an answer")));
  stop.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
  return promise;
}
