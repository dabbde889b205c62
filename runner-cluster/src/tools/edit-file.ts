import { readFileSync } from "node:fs";
import { z } from "zod";
import { isBinary } from "./read-file.ts";
import { statOf } from "./stat-of.ts";
import { toolBounds } from "./tool-bounds.ts";
import { toolPath } from "./tool-path.ts";
import { ToolRefusal, type Tool } from "./tool.ts";
import { writeText } from "./write-text.ts";

const Args = z.object({
  path: z.string().min(1).describe("File, relative to the workspace."),
  old_string: z
    .string()
    .describe("Text to replace, exactly as it stands in the file, without line numbers."),
  new_string: z.string().describe("Text to put there."),
  replace_all: z
    .boolean()
    .default(false)
    .describe("Replace every occurrence instead of the only one."),
});
type Args = z.infer<typeof Args>;

/** Replaces text in a file, exactly. */
export const editFile: Tool<Args> = {
  name: "edit_file",
  description:
    "Replaces text in a file. old_string must occur exactly once, unless replace_all is set: add lines around it until it does.",
  schema: Args,
  mutates: true,
  async execute(args, context) {
    const { workspace, callId, phase } = context;
    const path = toolPath(workspace, args.path);
    const absolute = await workspace.resolve(path, "write");
    const found = await statOf(absolute, path);
    if (!found.isFile()) throw new ToolRefusal("not_a_file", `${path} is not a file.`);
    if (found.size > toolBounds.editMaxBytes) {
      throw new ToolRefusal(
        "too_large",
        `${path} has ${found.size} bytes; change it with a command.`,
      );
    }
    // Read and written in one turn: what another writer did in between cannot be lost.
    const edited = workspace.mutate(() => editInPlace(absolute, args));
    const data = { callId, op: "edit", path, phase, size: edited.size } as const;
    return {
      output: { path, replacements: edited.replacements, bytes: edited.size },
      content: `Replaced ${edited.replacements} occurrence(s) in ${path}.`,
      events: [{ type: "file.changed", data }],
    };
  },
};

function editInPlace(absolute: string, args: Args) {
  const bytes = readFileSync(absolute);
  if (isBinary(bytes)) throw new ToolRefusal("binary", `${args.path} is a binary file.`);
  const { text, replacements } = replaceExactly(bytes.toString("utf8"), args);
  writeText(absolute, text);
  return { replacements, size: Buffer.byteLength(text) };
}

/** The edit itself. `String.replace` is not used: it reads `$&` and `$1` in the new text as patterns. */
export function replaceExactly(
  text: string,
  args: Pick<Args, "old_string" | "new_string" | "replace_all">,
): { readonly text: string; readonly replacements: number } {
  if (args.old_string === "")
    throw new ToolRefusal(
      "invalid_arguments",
      "old_string is empty; use write_file to make a file.",
    );
  if (args.old_string === args.new_string) {
    throw new ToolRefusal("invalid_arguments", "old_string and new_string are the same.");
  }
  const parts = text.split(args.old_string);
  const replacements = parts.length - 1;
  if (replacements === 0) {
    throw new ToolRefusal(
      "no_match",
      "old_string does not occur in the file. Read the file again and copy the text exactly, blanks and line ends included.",
    );
  }
  if (replacements > 1 && !args.replace_all) {
    throw new ToolRefusal(
      "many_matches",
      `old_string occurs ${replacements} times. Add lines around it, or set replace_all.`,
    );
  }
  return { text: parts.join(args.new_string), replacements };
}
