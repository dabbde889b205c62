import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { statOf } from "./stat-of.ts";
import { toolBounds } from "./tool-bounds.ts";
import { shownPath, toolPath } from "./tool-path.ts";
import { ToolRefusal, type Tool, type ToolContext } from "./tool.ts";

const Args = z.object({
  path: z.string().default("").describe("Directory, relative to the workspace. Empty: its root."),
});

/** Lists one directory. */
export const ls: Tool<z.infer<typeof Args>> = {
  name: "ls",
  description: "Lists a directory of the workspace. Directories end in a slash.",
  schema: Args,
  mutates: false,
  async execute(args, context) {
    const path = toolPath(context.workspace, args.path);
    const directory = await context.workspace.resolve(path, "read");
    if (!(await statOf(directory, path)).isDirectory()) {
      throw new ToolRefusal("not_a_directory", `${shownPath(path)} is a file; read it instead.`);
    }
    const names = await visibleNames(directory, path, context);
    const shown = names.slice(0, toolBounds.listMaxEntries);
    const entries = await Promise.all(shown.map((name) => describeEntry(directory, name)));
    const left = names.length - shown.length;
    const lines = left > 0 ? [...entries, `[${left} more entries]`] : entries;
    return {
      output: { path, entries, total: names.length },
      content: lines.length > 0 ? lines.join("\n") : "(empty directory)",
      events: [
        {
          type: "file.read",
          data: {
            callId: context.callId,
            op: "ls",
            path,
            phase: context.phase,
            entryCount: names.length,
          },
        },
      ],
    };
  },
};

async function visibleNames(directory: string, path: string, context: ToolContext) {
  const names = await readdir(directory);
  return names
    .filter((name) => !context.workspace.hides(path === "" ? name : `${path}/${name}`))
    .toSorted();
}

async function describeEntry(directory: string, name: string): Promise<string> {
  const entry = await lstat(join(directory, name)).catch(() => null);
  if (entry?.isDirectory()) return `${name}/`;
  if (entry?.isSymbolicLink()) return `${name}@`;
  return entry ? `${name} (${entry.size} bytes)` : name;
}
