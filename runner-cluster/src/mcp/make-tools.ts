import type { Tool as ServerTool } from "@modelcontextprotocol/client";
import { z } from "zod";
import { isDeeperThan } from "../engine/is-deeper-than.ts";
import { ToolRefusal, type ToolContext, type ToolResult } from "../tools/tool.ts";
import { cutTail } from "../tools/tool-bounds.ts";
import type { RemoteTool } from "../tools/toolsets.ts";
import { failureText, isRefusal } from "./judge-failure.ts";
import type { McpConnection } from "./mcp-connection.ts";
import { mcpBounds, McpServerFailed, type McpServer } from "./mcp-server.ts";
import { plainSchema } from "./plain-schema.ts";
import { readResult } from "./read-result.ts";
import { toolName } from "./tool-name.ts";

const Args = z.record(z.string(), z.unknown());
const maxLevels = 32;

/**
 * A server's tools as the model is given them. Throws McpServerFailed when one that the session names is not there, or one
 * cannot be offered: without it a model would do something else, and nobody would know why.
 */
export function makeTools(
  server: McpServer,
  listed: readonly ServerTool[],
  connection: McpConnection,
): readonly RemoteTool[] {
  const byName = new Map(listed.map((tool) => [tool.name, tool]));
  const wanted = server.tools ?? [...byName.keys()];
  return wanted.map((name) => {
    const tool = byName.get(name);
    if (!tool) throw refuse(server, `it has no tool ${name}`);
    return makeTool(server, tool, connection);
  });
}

function makeTool(server: McpServer, tool: ServerTool, connection: McpConnection): RemoteTool {
  if (isDeeperThan(tool.inputSchema, maxLevels)) throw tooLarge(server, tool.name);
  const parameters = plainSchema(tool.inputSchema);
  if (JSON.stringify(parameters).length > mcpBounds.schemaChars) throw tooLarge(server, tool.name);
  return {
    name: toolName(server.name, tool.name),
    description: cutTail(describe(tool), mcpBounds.descriptionChars),
    // What the server's own schema demands the server checks.
    schema: Args,
    parameters,
    mutates: tool.annotations?.readOnlyHint !== true,
    execute: (args, context) => callTool(server, { tool, args, context }, connection),
  };
}

const describe = ({ description, title, name }: ServerTool): string =>
  description?.trim() || title?.trim() || name;

function tooLarge(server: McpServer, tool: string): McpServerFailed {
  const bound = mcpBounds.schemaChars;
  return refuse(server, `the schema of ${tool} has more than ${bound} characters; name others`);
}

function refuse({ name }: McpServer, problem: string): McpServerFailed {
  const message = `The MCP server ${name} cannot be used: ${problem} in mcpServers.${name}.tools.`;
  return new McpServerFailed(message, { retryable: false });
}

interface Call {
  readonly tool: ServerTool;
  readonly args: z.infer<typeof Args>;
  readonly context: ToolContext;
}

async function callTool(
  server: McpServer,
  { tool, args, context }: Call,
  connection: McpConnection,
): Promise<ToolResult> {
  const { signal, commandTimeoutMs: maxMs } = context;
  const result = await connection.call(tool, args, { signal, maxMs }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw refusalOf(server, error);
  });
  const { content, output } = readResult(result);
  if (result.isError === true) throw new ToolRefusal("tool_error", content);
  return { content, output, events: [] };
}

/** A tool that the server refuses has done nothing; one whose server was not heard any more may have. */
function refusalOf(server: McpServer, error: unknown): ToolRefusal {
  const said = failureText(error);
  if (isRefusal(error)) return new ToolRefusal("tool_error", said, { cause: error });
  const message = `The MCP server ${server.name} did not answer as it should: ${said}. The call may have happened all the same.`;
  return new ToolRefusal("server_failed", message, { cause: error });
}
