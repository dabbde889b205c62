import type { EventData } from "@millrace/contracts";
import { shownAddress } from "../repos/repo-address.ts";
import { cutTail } from "../tools/tool-bounds.ts";
import type { RemoteTool } from "../tools/toolsets.ts";
import { failureText, isRefusal, statusOf } from "./judge-failure.ts";
import { makeTools } from "./make-tools.ts";
import { McpConnection } from "./mcp-connection.ts";
import { mcpBounds, McpServerFailed, type McpServer } from "./mcp-server.ts";

type McpState = EventData["mcp.server"];

/** What an attempt has of MCP servers. */
export interface McpTools {
  readonly tools: readonly RemoteTool[];
  /** For the model's instructions: whose tools it has, and whose not. */
  readonly notes: readonly string[];
  /** Never rejects. */
  readonly close: () => Promise<void>;
}

export const noMcpTools: McpTools = { tools: [], notes: [], close: () => Promise.resolve() };

export interface McpRequest {
  readonly fetch: typeof fetch;
  readonly onState: (state: McpState) => void;
  readonly signal: AbortSignal;
}

interface Opened {
  readonly tools: readonly RemoteTool[];
  readonly note: string;
  readonly end: () => Promise<void>;
}

/** Connects to all at once. Throws McpServerFailed for one that has to be there and is not, and the signal's reason. */
export async function openMcpServers(
  servers: readonly McpServer[],
  request: McpRequest,
): Promise<McpTools> {
  const settled = await Promise.allSettled(servers.map((server) => open(server, request)));
  const opened = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(({ end }) => end()));
  };
  const tools = opened.flatMap((one) => one.tools);
  try {
    for (const one of settled) if (one.status === "rejected") throw one.reason;
    refuseTooMany(tools);
  } catch (error) {
    await close();
    throw error;
  }
  return { tools, notes: opened.map(({ note }) => note), close };
}

async function open(server: McpServer, { fetch, onState, signal }: McpRequest): Promise<Opened> {
  const shown = { server: server.name, url: shownAddress(server.url) };
  try {
    const { connection, tools } = await reach(server, fetch, signal);
    onState({ state: "connected", ...shown, tools: tools.length });
    const note = noteOf(server, connection.instructions);
    return { tools, note, end: () => connection.close() };
  } catch (error) {
    signal.throwIfAborted();
    const failed = asFailure(server, error);
    onState({ state: "failed", ...shown, error: failed.message });
    if (!server.optional) throw failed;
    const note = `The MCP server ${server.name} is not there now, nor are its tools.`;
    return { tools: [], note, end: noMcpTools.close };
  }
}

async function reach(server: McpServer, base: typeof fetch, signal: AbortSignal) {
  const connection = await McpConnection.open(server, base, signal);
  try {
    const listed = await connection.listTools(signal);
    signal.throwIfAborted();
    return { connection, tools: makeTools(server, listed, connection) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function noteOf({ name, url }: McpServer, instructions = ""): string {
  const about = `Tools whose names begin with ${name}__ are those of the MCP server ${shownAddress(url)}, outside of the workspace.`;
  const said = cutTail(instructions.trim(), mcpBounds.instructionsChars);
  return said === "" ? about : `${about} It says of them:\n${said}`;
}

function asFailure(server: McpServer, error: unknown): McpServerFailed {
  if (error instanceof McpServerFailed) return error;
  const { name, url } = server;
  const status = statusOf(error);
  const isDenied = status === 401 || status === 403;
  const remedy = isDenied
    ? `Check what mcpServers.${name}.headers take from secretRefs.`
    : `Check mcpServers.${name}.url, and that the session's pod may reach it; optional: true would go on without it.`;
  const message = `The MCP server ${name} (${shownAddress(url)}) cannot be used: ${failureText(error)}. ${remedy}`;
  return new McpServerFailed(message, { cause: error, retryable: !isRefusal(error) });
}

function refuseTooMany(tools: readonly RemoteTool[]): void {
  const size = tools.reduce((sum, { parameters }) => sum + JSON.stringify(parameters).length, 0);
  if (tools.length <= mcpBounds.tools && size <= mcpBounds.allSchemasChars) return;
  const message = `The MCP servers have ${tools.length} tools with ${size} characters of schemas, more than the model can be given (${mcpBounds.tools}, ${mcpBounds.allSchemasChars}). Name those that are needed in mcpServers.<name>.tools.`;
  throw new McpServerFailed(message, { retryable: false });
}
