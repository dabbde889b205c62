import { z } from "zod";
import type { CommandResult } from "../workspaces/workspace.ts";
import { CommandOutput } from "./command-output.ts";
import { toolBounds } from "./tool-bounds.ts";
import { toolPath } from "./tool-path.ts";
import { type Tool, type ToolContext, type ToolResult } from "./tool.ts";

const Args = z.object({
  command: z.string().min(1).max(100_000).describe("Shell command line."),
  cwd: z.string().default("").describe("Directory to run it in. Empty: the workspace."),
  timeoutMs: z.number().int().min(1).optional().describe("Ends the command after this long."),
});
type Args = z.infer<typeof Args>;

/** Runs a shell command in the workspace. */
export const runCommand: Tool<Args> = {
  name: "run_command",
  description:
    "Runs a shell command in the workspace and answers its exit code and output. It has no terminal and no input; what it leaves running is ended with it.",
  schema: Args,
  mutates: true,
  async execute(args, context) {
    const { workspace, signal } = context;
    const output = new CommandOutput(context.redactStream, (stream, chunk) =>
      emitChunk(args, context, { stream, chunk }),
    );
    const cwd = toolPath(workspace, args.cwd);
    const timeoutMs = Math.min(
      args.timeoutMs ?? context.commandTimeoutMs,
      context.commandTimeoutMs,
    );
    const request = { command: args.command, cwd, timeoutMs, signal };
    try {
      const result = await workspace.run({
        ...request,
        onOutput: (stream, chunk) => output.add(stream, chunk),
      });
      output.end();
      signal.throwIfAborted();
      return await toResult(result, { output, timeoutMs }, context);
    } finally {
      output.end();
    }
  },
};

function emitChunk(
  args: Args,
  context: ToolContext,
  piece: { readonly stream: "stdout" | "stderr"; readonly chunk: string },
): void {
  const { callId, phase } = context;
  const cmd = args.command.slice(0, toolBounds.commandLabelChars);
  context.emit({
    type: "tool.output",
    data: { callId, name: "run_command", phase, cmd, ...piece },
  });
}

async function toResult(
  result: CommandResult,
  ran: { readonly output: CommandOutput; readonly timeoutMs: number },
  context: ToolContext,
): Promise<ToolResult> {
  const { output } = ran;
  const outputFile = output.isCut
    ? await context.workspace.writeToolOutput(context.callId, output.whole())
    : null;
  const streams = { stdout: output.tail("stdout"), stderr: output.tail("stderr") };
  const lines = [
    describeEnd(result, ran.timeoutMs),
    ...(outputFile
      ? [`The whole output is in ${outputFile}; read it with read_file or grep.`]
      : []),
    ...(streams.stdout === "" ? [] : [`stdout:\n${streams.stdout}`]),
    ...(streams.stderr === "" ? [] : [`stderr:\n${streams.stderr}`]),
  ];
  const { exitCode, signal, timedOut } = result;
  return {
    output: { exitCode, signal, timedOut, ...streams, ...(outputFile ? { outputFile } : {}) },
    content: lines.join("\n"),
    events: [],
  };
}

function describeEnd(result: CommandResult, timeoutMs: number): string {
  if (result.timedOut) return `Ended after ${timeoutMs / 1000} s: the time for a command was over.`;
  if (result.signal) return `Ended by ${result.signal}.`;
  return `Exit code ${result.exitCode}.`;
}
