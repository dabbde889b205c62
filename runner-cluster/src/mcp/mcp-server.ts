/** An MCP server that a run may use, with the values of its headers. */
export interface McpServer {
  readonly name: string;
  /** https; http for a server on this machine itself, in tests. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Those of its tools that the model gets; null: all. */
  readonly tools: readonly string[] | null;
  /** An attempt goes on without it when it cannot be used. */
  readonly optional: boolean;
  /** A call that says nothing for so long is given up. */
  readonly timeoutMs: number;
}

/** A server cannot be used, for a reason that the run's user is told. */
export class McpServerFailed extends Error {
  override readonly name = "McpServerFailed";
  /** The same may work a little later. */
  readonly retryable: boolean;
  constructor(message: string, options: ErrorOptions & { readonly retryable: boolean }) {
    super(message, options);
    this.retryable = options.retryable;
  }
}

/** What tools and their answers may take. */
export const mcpBounds = {
  /** Of all servers together: providers take 128, and there are tools of our own. */
  tools: 100,
  /** Of a tool, as JSON. */
  schemaChars: 16 * 1024,
  /** Of all tools together. They go with every call of the model. */
  allSchemasChars: 256 * 1024,
  /** Some providers refuse more. */
  descriptionChars: 1024,
  instructionsChars: 4 * 1024,
  /** Of one answer of a server, whatever it is an answer to. */
  answerBytes: 16 * 1024 * 1024,
  listPages: 32,
  startTimeoutMs: 15_000,
  startTries: 3,
  startPauseMs: 500,
  /** From the end of the work to that of its connections. */
  closeTimeoutMs: 1_000,
} as const;
