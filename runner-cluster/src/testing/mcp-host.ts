import { once } from "node:events";
import { createServer, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import {
  createMcpHandler,
  Server,
  WebStandardStreamableHTTPServerTransport,
  type CallToolResult,
  type ServerContext,
  type Tool,
} from "@modelcontextprotocol/server";
import type { McpServer } from "../mcp/mcp-server.ts";

type Answer = (
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => CallToolResult | Promise<CallToolResult>;

export interface HostedTool extends Pick<Tool, "name" | "description" | "annotations"> {
  readonly inputSchema?: Tool["inputSchema"];
  readonly answer: Answer;
}

export interface HostOptions {
  readonly tools: readonly HostedTool[];
  readonly instructions?: string;
  /** Requests without it are refused. */
  readonly authorization?: string;
  /** `modern`: the revision without sessions, alone. */
  readonly protocol?: "sessions" | "modern";
  readonly perPage?: number;
}

export const says = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });

const information = { name: "host", version: "1" };

/** A real MCP server over HTTP, which remembers what it was asked. */
export class McpHost {
  readonly calls: { readonly name: string; readonly args: unknown }[] = [];
  /** Names of tools whose calls the client has cancelled. */
  readonly cancelled: string[] = [];
  /** What opened or ended a session, and how. */
  readonly log: string[] = [];
  readonly #options: HostOptions;
  readonly #http: HttpServer;
  readonly #sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  readonly #modern = createMcpHandler(() => this.#makeServer(), { legacy: "reject" });

  private constructor(options: HostOptions) {
    this.#options = options;
    this.#http = createServer((request, response) => {
      const left = new AbortController();
      response.on("close", () => left.abort());
      void this.#answer(toRequest(request, this.url, left.signal))
        .then(async (answer) => {
          response.writeHead(answer.status, Object.fromEntries(answer.headers));
          if (!answer.body) return response.end();
          return pipeline(Readable.fromWeb(answer.body), response);
        })
        .catch(() => response.destroy());
    });
  }

  static async start(options: HostOptions): Promise<McpHost> {
    const host = new McpHost(options);
    host.#http.listen(0, "127.0.0.1");
    await once(host.#http, "listening");
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/mcp`;
  }

  /** As a session's settings would have it. */
  server(changes: Partial<McpServer> = {}): McpServer {
    const { authorization } = this.#options;
    const headers = authorization === undefined ? {} : { Authorization: authorization };
    const rest = { tools: null, optional: false, timeoutMs: 30_000 };
    return { name: "docs", url: this.url, headers, ...rest, ...changes };
  }

  /** Forgets all sessions, as a server does that has restarted. */
  forget(): void {
    this.#sessions.clear();
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }

  async #answer(request: Request): Promise<Response> {
    const { authorization, protocol } = this.#options;
    if (authorization !== undefined && request.headers.get("authorization") !== authorization) {
      return new Response("who are you?", { status: 401 });
    }
    if (protocol === "modern") return this.#modern.fetch(request);
    const sessionId = request.headers.get("mcp-session-id");
    if (request.method === "DELETE") this.log.push("ended");
    if (sessionId === null) return this.#begin(request);
    const transport = this.#sessions.get(sessionId);
    return transport?.handleRequest(request) ?? new Response("no session", { status: 404 });
  }

  async #begin(request: Request): Promise<Response> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => {
        this.log.push("begun");
        this.#sessions.set(id, transport);
      },
    });
    await this.#makeServer().connect(transport);
    return transport.handleRequest(request);
  }

  #makeServer(): Server {
    const { tools, instructions, perPage = tools.length } = this.#options;
    const server = new Server(information, {
      capabilities: { tools: {} },
      ...(instructions !== undefined && { instructions }),
    });
    server.setRequestHandler("tools/list", ({ params }) => {
      const from = Number(params?.cursor ?? 0);
      const next = from + perPage;
      return {
        tools: tools.slice(from, next).map(describeTool),
        ...(next < tools.length && { nextCursor: String(next) }),
      };
    });
    server.setRequestHandler("tools/call", ({ params }, context) =>
      this.#call(params.name, params.arguments ?? {}, context),
    );
    return server;
  }

  #call(name: string, args: Record<string, unknown>, { mcpReq }: ServerContext) {
    this.calls.push({ name, args });
    mcpReq.signal.addEventListener("abort", () => this.cancelled.push(name));
    const tool = this.#options.tools.find((one) => one.name === name);
    if (!tool) throw new Error(`no tool ${name}`);
    return tool.answer(args, mcpReq.signal);
  }
}

function describeTool(hosted: HostedTool): Tool {
  const { answer: _, ...tool } = hosted;
  return { ...tool, inputSchema: tool.inputSchema ?? { type: "object" } };
}

function toRequest(incoming: IncomingMessage, url: string, signal: AbortSignal): Request {
  const { method = "GET", rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  const body = method === "POST" ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null;
  return new Request(url, { method, headers, body, duplex: "half", signal });
}
