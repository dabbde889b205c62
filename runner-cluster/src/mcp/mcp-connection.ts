import { setTimeout as sleep } from "node:timers/promises";
import type * as Sdk from "@modelcontextprotocol/client";
import type {
  CallToolResult,
  Client,
  StreamableHTTPClientTransport,
  Tool,
} from "@modelcontextprotocol/client";
import { BoundedFetch } from "./bounded-fetch.ts";
import { isRefusal, statusOf } from "./judge-failure.ts";
import { mcpBounds, type McpServer } from "./mcp-server.ts";

interface Wire {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** However much progress it reports. */
  readonly maxMs: number;
}

/** An open connection to one server, for an attempt. Whoever opens it closes it. */
export class McpConnection {
  readonly #sdk: typeof Sdk;
  readonly #server: McpServer;
  readonly #way: BoundedFetch;
  #wire: Wire | undefined;

  private constructor(sdk: typeof Sdk, server: McpServer, base: typeof fetch) {
    this.#sdk = sdk;
    this.#server = server;
    this.#way = new BoundedFetch(base, mcpBounds.answerBytes);
  }

  /** Connects, trying again for a moment. Rejects with what the last try met, or with the signal's reason. */
  static async open(
    server: McpServer,
    base: typeof fetch,
    signal: AbortSignal,
  ): Promise<McpConnection> {
    // Loaded by those who need it: it is larger than the rest of the runner.
    const sdk = await import("@modelcontextprotocol/client");
    const connection = new McpConnection(sdk, server, base);
    for (let tries = 1; ; tries += 1) {
      try {
        // Old servers may stumble over the question for a new protocol; the second try does not ask it.
        connection.#wire = await connection.#connect(tries % 2 === 1 ? "auto" : "legacy", signal);
        return connection;
      } catch (error) {
        signal.throwIfAborted();
        if (tries >= mcpBounds.startTries || isRefusal(error)) throw error;
        await sleep(mcpBounds.startPauseMs, undefined, { signal, ref: false });
      }
    }
  }

  /** What the server wants a model to know. */
  get instructions(): string | undefined {
    return this.#wire?.client.getInstructions();
  }

  async listTools(signal: AbortSignal): Promise<readonly Tool[]> {
    const { client } = this.#open();
    if (!client.getServerCapabilities()?.tools) return [];
    const bounded = this.#bounded(signal);
    const options = { signal: bounded, timeout: mcpBounds.startTimeoutMs };
    return (await client.listTools(undefined, options)).tools;
  }

  /** Calls a tool; on abort and on timeout the server is told. A session that the server has forgotten is opened anew, once. */
  async call(
    tool: Tool,
    args: Record<string, unknown>,
    options: CallOptions,
  ): Promise<CallToolResult> {
    try {
      return await this.#call(tool, args, options);
    } catch (error) {
      if (!this.#isForgotten(error)) throw error;
      await this.#reconnect(options.signal);
      return this.#call(tool, args, options);
    }
  }

  /** Ends the session at the server, if there is one. Never rejects. */
  async close(): Promise<void> {
    const wire = this.#wire;
    if (!wire) return;
    await this.#way.settled(mcpBounds.closeTimeoutMs);
    const gone = sleep(mcpBounds.closeTimeoutMs, undefined, { ref: false });
    // The server may be gone, or know of no sessions; it forgets this one in time.
    const ended = wire.transport.terminateSession().catch(() => undefined);
    await Promise.race([ended, gone]);
    await wire.client.close().catch(() => undefined);
  }

  async #connect(mode: "auto" | "legacy", signal: AbortSignal): Promise<Wire> {
    const { Client, StreamableHTTPClientTransport } = this.#sdk;
    const client = new Client(
      { name: "millrace", version: "1" },
      { versionNegotiation: { mode }, listMaxPages: mcpBounds.listPages },
    );
    const transport = new StreamableHTTPClientTransport(new URL(this.#server.url), {
      fetch: this.#way.fetch,
      requestInit: { headers: this.#server.headers },
    });
    const stop = (): void => void transport.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect(transport, {
        signal: this.#bounded(signal),
        timeout: mcpBounds.startTimeoutMs,
      });
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return { client, transport };
  }

  #call(tool: Tool, args: Record<string, unknown>, options: CallOptions): Promise<CallToolResult> {
    // Its answer is for a model to read: it need not be as the server has promised.
    const { outputSchema: _, ...toolDefinition } = tool;
    return this.#open().client.callTool(
      { name: tool.name, arguments: args },
      {
        signal: this.#bounded(options.signal),
        timeout: this.#server.timeoutMs,
        maxTotalTimeout: options.maxMs,
        resetTimeoutOnProgress: true,
        // Asked for, so that a server tells of progress at all.
        onprogress: () => undefined,
        toolDefinition,
      },
    );
  }

  /** Aborts with the signal, and when an answer is larger than it may be. There is one request at a time. */
  #bounded(signal: AbortSignal): AbortSignal {
    const { SdkError, SdkErrorCode } = this.#sdk;
    const tooLarge = new AbortController();
    const message = `its answer has more than ${mcpBounds.answerBytes} bytes`;
    this.#way.onTooLarge = () => {
      tooLarge.abort(new SdkError(SdkErrorCode.InvalidResult, message));
    };
    return AbortSignal.any([signal, tooLarge.signal]);
  }

  /** 404 is the protocol's word for it; servers that have restarted often say 400. Neither has done anything. */
  #isForgotten(error: unknown): boolean {
    const status = statusOf(error);
    const isRefused = status === 404 || status === 400;
    return isRefused && this.#wire?.transport.sessionId !== undefined;
  }

  async #reconnect(signal: AbortSignal): Promise<void> {
    await this.#wire?.client.close();
    this.#wire = await this.#connect("auto", signal);
  }

  #open(): Wire {
    if (!this.#wire) throw new Error("the connection is not open");
    return this.#wire;
  }
}
