import { z } from "zod";
import { toolPath } from "./tool-path.ts";
import { type Tool } from "./tool.ts";
import { writeText } from "./write-text.ts";

const Args = z.object({
  path: z
    .string()
    .min(1)
    .describe("File, relative to the workspace. Missing directories are made."),
  content: z.string().describe("The whole new content."),
});

/** Writes a whole file. */
export const writeFile: Tool<z.infer<typeof Args>> = {
  name: "write_file",
  description:
    "Writes a file whole: makes it, or replaces what it held. To change a part, use edit_file.",
  schema: Args,
  mutates: true,
  async execute(args, context) {
    const { workspace, callId, phase } = context;
    const path = toolPath(workspace, args.path);
    const absolute = await workspace.resolve(path, "write");
    workspace.mutate(() => writeText(absolute, args.content));
    const size = Buffer.byteLength(args.content);
    return {
      output: { path, bytes: size },
      content: `Wrote ${size} bytes to ${path}.`,
      events: [{ type: "file.changed", data: { callId, op: "write", path, phase, size } }],
    };
  },
};
