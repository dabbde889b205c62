import { basename, dirname } from "node:path";
import { z } from "zod";
import { listFiles, search, type GrepMatch } from "./search.ts";
import { statOf } from "./stat-of.ts";
import { cutTail, toolBounds } from "./tool-bounds.ts";
import { toolPath } from "./tool-path.ts";
import { ToolRefusal, type Tool, type ToolContext } from "./tool.ts";

const Args = z.object({
  pattern: z.string().min(1).max(toolBounds.patternChars).describe("Text to find in a line."),
  path: z.string().default("").describe("Directory or file to search. Empty: the workspace."),
  glob: z
    .string()
    .min(1)
    .max(toolBounds.patternChars)
    .default("**/*")
    .describe("Only files whose path matches."),
  regex: z.boolean().default(false).describe("The pattern is a JavaScript regular expression."),
  ignore_case: z.boolean().default(false).describe("Upper and lower case are the same."),
});
type Args = z.infer<typeof Args>;

/** Finds lines by their text. */
export const grep: Tool<Args> = {
  name: "grep",
  description:
    "Finds lines that hold a text (or match a regular expression). Answers `path:line: text`.",
  schema: Args,
  mutates: false,
  async execute(args, context) {
    if (args.regex) checkExpression(args.pattern);
    const path = toolPath(context.workspace, args.path);
    const { matches, cut, skipped } = await findMatches(args, path, context);
    const lines = matches.map((match) => `${match.path}:${match.line}: ${match.text}`);
    const notes = [
      ...(matches.length === 0 ? ["No line matches."] : []),
      ...(cut ? ["[more matches: narrow the search]"] : []),
      ...(skipped > 0 ? [`[${skipped} file(s) too large to search]`] : []),
    ];
    const content = [...lines, ...notes].join("\n");
    const text = cutTail(content, toolBounds.outputChars);
    const { callId, phase } = context;
    return {
      output: { path, pattern: args.pattern, matchCount: matches.length, cut, text },
      content: text,
      events: [
        {
          type: "file.read",
          data: {
            callId,
            op: "grep",
            path,
            phase,
            pattern: args.pattern,
            matchCount: matches.length,
          },
        },
      ],
    };
  },
};

function checkExpression(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ToolRefusal("invalid_arguments", reason, { cause: error });
  }
}

async function findMatches(args: Args, path: string, context: ToolContext) {
  const { directory, paths, prefix } = await filesOf(args, path, context);
  const query = { pattern: args.pattern, regex: args.regex, ignoreCase: args.ignore_case };
  const result = await search({ kind: "grep", directory, paths, ...query }, context.signal);
  if (result.kind !== "grepped") throw new ToolRefusal("search_failed", "The search failed.");
  const matches: readonly GrepMatch[] = result.matches.map((match) => ({
    ...match,
    path: prefix + match.path,
  }));
  return { matches, cut: result.cut, skipped: result.skipped };
}

/** The files to search: one that was named, or all below a directory. */
async function filesOf(args: Args, path: string, context: ToolContext) {
  const absolute = await context.workspace.resolve(path, "read");
  const found = await statOf(absolute, path);
  if (found.isFile()) {
    const parent = dirname(path);
    const prefix = parent === "." ? "" : `${parent}/`;
    return { directory: dirname(absolute), paths: [basename(absolute)], prefix };
  }
  const listed = await listFiles(context.workspace, path, args.glob, context.signal);
  return { ...listed, prefix: path === "" ? "" : `${path}/` };
}
