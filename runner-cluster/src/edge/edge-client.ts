import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  runnerPaths,
  UploadBegun,
  UploadedPart,
  type UploadComplete,
  type UploadKind,
} from "@millrace/contracts";
import { backoffMs, type BackoffBounds } from "./backoff.ts";

/** The edge did not answer, or not usefully, in as many tries as one call has. */
export class EdgeUnreachable extends Error {
  override readonly name = "EdgeUnreachable";
  readonly retryable = true;
}

/** The edge understood and said no; the same request will get the same answer. */
export class EdgeRefused extends Error {
  override readonly name = "EdgeRefused";
  readonly retryable = false;
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface RetryBounds extends BackoffBounds {
  readonly tries: number;
  /** For one try, body included. */
  readonly timeoutMs: number;
}

/** About a minute of trying: an edge that restarts is not noticed. */
const retryBounds: RetryBounds = {
  tries: 16,
  firstMs: 200,
  maxMs: 5_000,
  timeoutMs: 120_000,
};

export interface EdgeClientOptions {
  readonly edgeUrl: string;
  readonly runId: string;
  /** Asked at every try: the token is renewed over the socket meanwhile. */
  readonly token: () => string;
  readonly retry?: RetryBounds;
}

/** A multipart upload that was begun and neither completed nor aborted. */
export interface OpenUpload {
  readonly uploadId: string;
  readonly key: string;
}

interface Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal;
}

/** What an attempt asks of the edge outside its socket: archives, blobs, the workspace to start from. Every call is safe to repeat. */
export class EdgeClient {
  readonly #options: EdgeClientOptions;
  readonly #retry: RetryBounds;

  constructor(options: EdgeClientOptions) {
    this.#options = options;
    this.#retry = options.retry ?? retryBounds;
  }

  async beginUpload(kind: UploadKind, sizeBytes: number, signal: AbortSignal): Promise<OpenUpload> {
    const path = runnerPaths.uploads(this.#options.runId);
    return UploadBegun.parse(
      await this.#json({ method: "POST", path, json: { kind, sizeBytes }, signal }),
    );
  }

  /** Parts count from 1; all but the last have the same size. */
  async putPart(
    upload: OpenUpload,
    part: number,
    bytes: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const path = runnerPaths.uploadPart(this.#options.runId, upload.uploadId, part, upload.key);
    const answer = await this.#json({ method: "PUT", path, bytes, signal });
    return UploadedPart.parse({ partNumber: part, ...(answer as object) });
  }

  async completeUpload(
    uploadId: string,
    stored: UploadComplete,
    signal: AbortSignal,
  ): Promise<void> {
    const path = runnerPaths.uploadComplete(this.#options.runId, uploadId);
    await this.#bytes({ method: "POST", path, json: stored, signal });
  }

  async abortUpload(upload: OpenUpload, signal: AbortSignal): Promise<void> {
    const path = runnerPaths.uploadAbort(this.#options.runId, upload.uploadId, upload.key);
    await this.#bytes({ method: "DELETE", path, signal });
  }

  async putBlob(
    sha256: string,
    bytes: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const path = runnerPaths.blob(this.#options.runId, sha256);
    await this.#bytes({ method: "PUT", path, bytes, signal });
  }

  /** The whole data of an event, where clients can read it. */
  async putEvent(
    sha256: string,
    bytes: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const path = runnerPaths.eventBlob(this.#options.runId, sha256);
    await this.#bytes({ method: "PUT", path, bytes, signal });
  }

  async getBlob(sha256: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes({
      method: "GET",
      path: runnerPaths.blob(this.#options.runId, sha256),
      signal,
    });
  }

  /** Writes the bundle that the claim named to `file`; false when there is none. */
  async getWorkspace(file: string, signal: AbortSignal): Promise<boolean> {
    const path = runnerPaths.workspace(this.#options.runId);
    const save = async (response: Response): Promise<boolean> => {
      if (!response.body) return false;
      await pipeline(Readable.fromWeb(response.body), createWriteStream(file, { mode: 0o600 }));
      return true;
    };
    try {
      return await this.#call({ method: "GET", path, signal }, save);
    } catch (error) {
      if (error instanceof EdgeRefused && error.status === 404) return false;
      throw error;
    }
  }

  #json(call: Call): Promise<unknown> {
    return this.#call(call, (response) => response.json());
  }

  #bytes(call: Call): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call(call, readBytes);
  }

  async #call<T>(call: Call, read: Read<T>): Promise<T> {
    let cause: unknown;
    for (let tries = 0; tries < this.#retry.tries; tries += 1) {
      call.signal.throwIfAborted();
      const answer = await this.#try(call, read);
      if (answer.kind === "done") return answer.value;
      cause = answer.cause;
      const pause = backoffMs(tries, this.#retry, Math.random());
      await delay(Math.max(pause, answer.afterMs), undefined, { signal: call.signal });
    }
    const message = `${call.method} ${call.path.split("?")[0]} failed ${this.#retry.tries} times`;
    throw new EdgeUnreachable(message, { cause });
  }

  async #try<T>(call: Call, read: Read<T>): Promise<Try<T>> {
    const timeout = AbortSignal.timeout(this.#retry.timeoutMs);
    try {
      const response = await fetch(new URL(call.path, this.#options.edgeUrl), {
        method: call.method,
        headers: this.#headers(call),
        body: call.bytes ?? (call.json === undefined ? null : JSON.stringify(call.json)),
        signal: AbortSignal.any([call.signal, timeout]),
      });
      if (response.ok) return { kind: "done", value: await read(response) };
      const said = await readBytes(response);
      if (!isWorthARetry(response.status)) throw refusal(call, response.status, said);
      return {
        kind: "again",
        cause: refusal(call, response.status, said),
        afterMs: retryAfterMs(response.headers.get("retry-after")),
      };
    } catch (error) {
      if (error instanceof EdgeRefused || call.signal.aborted) throw error;
      return { kind: "again", cause: error, afterMs: 0 };
    }
  }

  #headers(call: Call): Record<string, string> {
    const authorization = `Bearer ${this.#options.token()}`;
    if (call.json !== undefined) return { authorization, "content-type": "application/json" };
    if (call.bytes) return { authorization, "content-type": "application/octet-stream" };
    return { authorization };
  }
}

type Read<T> = (response: Response) => Promise<T>;

type Try<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "again"; readonly cause: unknown; readonly afterMs: number };

async function readBytes(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await response.arrayBuffer());
}

function isWorthARetry(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Seconds, as the edge writes it; capped, for a runner holds a workspace while it waits. */
function retryAfterMs(header: string | null): number {
  const seconds = Number(header ?? 0);
  return Number.isFinite(seconds) ? Math.min(30_000, Math.max(0, seconds * 1_000)) : 0;
}

function refusal(call: Call, status: number, body: Uint8Array): EdgeRefused {
  const said = Buffer.from(body).toString("utf8").slice(0, 300);
  return new EdgeRefused(
    status,
    `${call.method} ${call.path.split("?")[0]} answered ${status}: ${said}`,
  );
}
