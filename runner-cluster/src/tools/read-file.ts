import { readFile as readBytes } from "node:fs/promises";
import { z } from "zod";
import { statOf } from "./stat-of.ts";
import { toolBounds } from "./tool-bounds.ts";
import { toolPath } from "./tool-path.ts";
import { ToolRefusal, type Tool } from "./tool.ts";

const Args = z.object({
  path: z.string().min(1).describe("File, relative to the workspace."),
  offset: z.number().int().min(0).default(0).describe("How many lines to skip."),
  limit: z
    .number()
    .int()
    .min(1)
    .default(toolBounds.readDefaultLines)
    .describe("Most lines to read."),
});

/** Reads a text file, or a part of it, with line numbers. */
export const readFile: Tool<z.infer<typeof Args>> = {
  name: "read_file",
  description:
    "Reads a text file. Every line comes with its number and a tab, which are not part of the file.",
  schema: Args,
  mutates: false,
  async execute(args, context) {
    const path = toolPath(context.workspace, args.path);
    const bytes = await readText(await context.workspace.resolve(path, "read"), path);
    const page = paginate(bytes.toString("utf8"), args.offset, args.limit);
    const { callId, phase } = context;
    return {
      output: { path, totalLines: page.totalLines, text: page.text },
      content: page.text === "" ? "(empty file)" : page.text,
      events: [
        { type: "file.read", data: { callId, op: "read", path, phase, size: bytes.length } },
      ],
    };
  },
};

async function readText(absolute: string, path: string): Promise<Buffer> {
  const found = await statOf(absolute, path);
  if (found.isDirectory())
    throw new ToolRefusal("is_a_directory", `${path} is a directory; list it with ls.`);
  // A pipe or a device would be read for ever.
  if (!found.isFile()) throw new ToolRefusal("not_a_file", `${path} is not a regular file.`);
  if (found.size > toolBounds.readMaxBytes) {
    throw new ToolRefusal(
      "too_large",
      `${path} has ${found.size} bytes; search it with grep, or cut it with a command.`,
    );
  }
  const bytes = await readBytes(absolute);
  if (isBinary(bytes))
    throw new ToolRefusal("binary", `${path} is a binary file of ${bytes.length} bytes.`);
  return bytes;
}

/** Git's own test: a NUL byte near the start. */
export const isBinary = (bytes: Buffer): boolean => bytes.subarray(0, 8_000).includes(0);

function paginate(text: string, offset: number, limit: number) {
  const lines = text.split("\n");
  // A line feed ends a line; it does not begin an empty one.
  if (lines.at(-1) === "") lines.pop();
  if (offset > 0 && offset >= lines.length) {
    throw new ToolRefusal(
      "past_the_end",
      `The file has ${lines.length} lines; nothing is after line ${offset}.`,
    );
  }
  const shown = numberLines(lines, offset, Math.min(lines.length, offset + limit));
  const end = offset + shown.length;
  const note =
    end < lines.length
      ? [`[lines ${offset + 1}-${end} of ${lines.length}; go on with offset ${end}]`]
      : [];
  return { text: [...shown, ...note].join("\n"), totalLines: lines.length };
}

function numberLines(lines: readonly string[], from: number, to: number): readonly string[] {
  const shown: string[] = [];
  let chars = 0;
  for (let index = from; index < to; index += 1) {
    const line = lines[index] ?? "";
    const cut = line.length > toolBounds.lineChars;
    const numbered = `${index + 1}\t${line.slice(0, toolBounds.lineChars)}${cut ? " [line cut]" : ""}`;
    chars += numbered.length + 1;
    if (chars > toolBounds.outputChars - 200) break;
    shown.push(numbered);
  }
  return shown;
}
