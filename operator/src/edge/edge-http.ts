import {
  type SessionInput,
  SessionInputAnswer,
  SessionRun,
  type SessionRunCreate,
  SessionToken,
  type WarmTokenAsk,
  sessionPaths,
} from "@millrace/contracts";
import { z } from "zod";
import type { EdgeAnswer } from "./edge-answer.ts";

const timeoutMs = 15_000;
const Problem = z.object({ code: z.string(), message: z.string().optional() });

export interface EdgeHttpOptions {
  readonly url: string;
  readonly pool: string;
  /** Asked for every request: a token is renewed in its file. */
  readonly token: () => string;
}

interface Call<T> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  readonly text?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly schema: z.ZodType<T>;
}

/** The calls of `session-protocol.ts`, with the pool's token. Never rejects. */
export class EdgeHttp {
  readonly #options: EdgeHttpOptions;

  constructor(options: EdgeHttpOptions) {
    this.#options = options;
  }

  /** `traceparent` (W3C) becomes the run's. */
  createRun(
    create: z.input<typeof SessionRunCreate>,
    traceparent: string,
  ): Promise<EdgeAnswer<SessionRun>> {
    const path = sessionPaths.runs(this.#options.pool);
    return this.#call({
      method: "POST",
      path,
      json: create,
      schema: SessionRun,
      headers: { traceparent },
    });
  }

  readRun(runId: string): Promise<EdgeAnswer<SessionRun>> {
    const path = sessionPaths.run(this.#options.pool, runId);
    return this.#call({ method: "GET", path, schema: SessionRun });
  }

  /** `cancel` ends the run, `stop` pauses it, `resume` goes on. */
  act(
    act: "cancel" | "stop" | "resume",
    runId: string,
    by: string,
  ): Promise<EdgeAnswer<SessionRun>> {
    const path = sessionPaths[act](this.#options.pool, runId);
    return this.#call({ method: "POST", path, json: { by }, schema: SessionRun });
  }

  sendInput(runId: string, input: SessionInput): Promise<EdgeAnswer<SessionInputAnswer>> {
    const path = sessionPaths.input(this.#options.pool, runId);
    return this.#call({ method: "POST", path, json: input, schema: SessionInputAnswer });
  }

  renewToken(runId: string, attempt: number): Promise<EdgeAnswer<SessionToken>> {
    const path = sessionPaths.token(this.#options.pool, runId);
    return this.#call({ method: "POST", path, json: { attempt }, schema: SessionToken });
  }

  revokeTokens(runId: string): Promise<EdgeAnswer<unknown>> {
    const path = sessionPaths.token(this.#options.pool, runId);
    return this.#call({ method: "DELETE", path, schema: z.unknown() });
  }

  warmToken(ask: WarmTokenAsk): Promise<EdgeAnswer<SessionToken>> {
    const path = sessionPaths.warmToken(this.#options.pool);
    return this.#call({ method: "POST", path, json: ask, schema: SessionToken });
  }

  keepLog(
    of: { readonly runId: string; readonly attempt: number; readonly container: string },
    text: Uint8Array<ArrayBuffer>,
    retainSeconds: number,
  ): Promise<EdgeAnswer<unknown>> {
    const path = sessionPaths.log(this.#options.pool, of.runId, of.attempt, of.container);
    const withQuery = `${path}?retainSeconds=${retainSeconds}`;
    return this.#call({ method: "PUT", path: withQuery, text, schema: z.unknown() });
  }

  deleteLogs(runId: string): Promise<EdgeAnswer<unknown>> {
    const path = sessionPaths.logs(this.#options.pool, runId);
    return this.#call({ method: "DELETE", path, schema: z.unknown() });
  }

  async #call<T>(call: Call<T>): Promise<EdgeAnswer<T>> {
    const { url, token } = this.#options;
    const type = call.text === undefined ? "application/json" : "text/plain; charset=utf-8";
    const body = call.text ?? (call.json === undefined ? undefined : JSON.stringify(call.json));
    try {
      const response = await fetch(new URL(call.path, url), {
        method: call.method,
        headers: {
          ...call.headers,
          authorization: `Bearer ${token()}`,
          ...(body !== undefined && { "content-type": type }),
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body !== undefined && { body }),
      });
      return read(call, response.status, await response.text());
    } catch (error) {
      return { ok: false, code: "unreachable", message: describe(call, error) };
    }
  }
}

function read<T>(call: Call<T>, status: number, text: string): EdgeAnswer<T> {
  const body = parse(text);
  // It says nothing about what was asked: while a pool's token is replaced, here or there it is the other one for a while.
  if (status === 401) {
    const message = `${call.method} ${call.path}: the edge does not take the pool's token (401)`;
    return { ok: false, code: "unreachable", message };
  }
  if (status >= 400) {
    const problem = Problem.safeParse(body);
    if (!problem.success) {
      return { ok: false, code: "unreachable", message: `${call.method} ${call.path}: ${status}` };
    }
    const { code, message = code } = problem.data;
    return { ok: false, code, message };
  }
  const value = call.schema.safeParse(body);
  if (value.success) return { ok: true, value: value.data };
  return { ok: false, code: "unreachable", message: describe(call, value.error) };
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const describe = (call: Call<unknown>, error: unknown): string =>
  `${call.method} ${call.path}: ${error instanceof Error ? error.message : String(error)}`;
