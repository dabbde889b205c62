import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { v1 } from "@millrace/contracts";
import { z } from "zod";
import { releaseAtEnd } from "./cleanup.ts";
import { FrameStream } from "./sse.ts";

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; the text itself when it is none. */
  readonly body: unknown;
}

export interface RunBody {
  readonly prompt: string;
  readonly input?: unknown;
  readonly provider?: string;
  readonly model?: string;
  readonly webhook?: unknown;
  readonly workspaceBackend?: string;
  readonly interactive?: boolean;
  readonly keepOpen?: boolean;
}

export interface Resume {
  readonly after?: number;
  /** Sent as `Last-Event-ID`. */
  readonly lastEventId?: number | string;
}

const Messages = v1.page(v1.Message);
const terminal = new Set<v1.V1Status>(["completed", "error", "cancelled"]);

/** A `/v1` client. Its typed methods throw on anything but success; `request` answers whatever came. */
export class Api {
  readonly url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.#key = key;
  }

  /** One request with the key and, for a body, JSON. Strings are sent as they are. */
  async request(method: string, path: string, call: Call = {}): Promise<Answer> {
    const response = await this.fetch(method, path, call);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parseJson(text) };
  }

  fetch(method: string, path: string, call: Call = {}): Promise<Response> {
    const { body, headers = {}, signal } = call;
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        "x-agent-api-key": this.#key,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  }

  /** A new project of a random id, or the given one. */
  async createProject(id = `project-${randomUUID()}`): Promise<string> {
    const answer = await this.request("POST", "/v1/projects", { body: { id } });
    return parse(answer, v1.envelope(v1.ProjectCreated)).data.id;
  }

  async createRun(
    projectId: string,
    body: RunBody,
    idempotencyKey: string = randomUUID(),
  ): Promise<v1.RunCreated> {
    const answer = await this.request("POST", `/v1/projects/${projectId}/runs`, {
      body,
      headers: { "idempotency-key": idempotencyKey },
    });
    return parse(answer, v1.envelope(v1.RunCreated)).data;
  }

  /** Creates a run and follows it on the same response. */
  async streamRun(
    projectId: string,
    body: RunBody,
    idempotencyKey: string = randomUUID(),
  ): Promise<{ readonly runId: string; readonly stream: FrameStream }> {
    const stream = await this.#open("POST", `/v1/projects/${projectId}/runs`, {
      body: { ...body, stream: true },
      headers: { "idempotency-key": idempotencyKey },
    });
    return { runId: z.uuid().parse(stream.response.headers.get("x-run-id")), stream };
  }

  /** Says something to a run that is under way: an answer, the next message, or that it is to finish. */
  async sendInput(
    { projectId, runId }: { readonly projectId: string; readonly runId: string },
    body: { readonly content: string } | { readonly finish: true },
    idempotencyKey: string = randomUUID(),
  ): Promise<{ readonly n: number; readonly created: boolean }> {
    const path = `/v1/projects/${projectId}/runs/${runId}/input`;
    const headers = { "idempotency-key": idempotencyKey };
    const answer = await this.request("POST", path, { body, headers });
    return parse(answer, v1.envelope(v1.RunInputTaken)).data;
  }

  async createMessage(projectId: string, content: string): Promise<v1.RunCreated> {
    const answer = await this.request("POST", `/v1/projects/${projectId}/messages`, {
      body: { content },
      headers: { "idempotency-key": randomUUID() },
    });
    return parse(answer, v1.envelope(v1.MessageCreated)).data.run;
  }

  /** Follows a run, from the start or behind a frame. The stream is left at the end of the test. */
  stream(projectId: string, runId: string, resume: Resume = {}): Promise<FrameStream> {
    const query = resume.after === undefined ? "" : `?after=${resume.after}`;
    const headers: Record<string, string> =
      resume.lastEventId === undefined ? {} : { "last-event-id": String(resume.lastEventId) };
    return this.#open("GET", `/v1/projects/${projectId}/runs/${runId}/stream${query}`, { headers });
  }

  async run(projectId: string, runId: string): Promise<v1.RunSummary> {
    const answer = await this.request("GET", `/v1/projects/${projectId}/runs/${runId}`);
    return parse(answer, v1.envelope(v1.RunSummary)).data;
  }

  /** Asks until the run is over. Survives an edge that is away in between. */
  async waitForEnd(projectId: string, runId: string, timeoutMs = 90_000): Promise<v1.RunSummary> {
    const deadline = Date.now() + timeoutMs;
    let last = "no answer";
    while (Date.now() < deadline) {
      const run = await this.run(projectId, runId).catch((error: unknown) => String(error));
      if (typeof run !== "string" && terminal.has(run.status)) return run;
      last = typeof run === "string" ? run : `status ${run.status}, attempt ${run.meta.attempt}`;
      await sleep(100);
    }
    throw new Error(`run ${runId} is not over after ${timeoutMs} ms: ${last}`);
  }

  async messages(projectId: string, runId: string): Promise<readonly v1.Message[]> {
    const answer = await this.request("GET", `/v1/projects/${projectId}/runs/${runId}/messages`);
    return parse(answer, Messages).data;
  }

  async cancel(projectId: string, runId: string): Promise<z.infer<typeof v1.RunCancelled>> {
    const answer = await this.request("POST", `/v1/projects/${projectId}/runs/${runId}/cancel`);
    return parse(answer, v1.envelope(v1.RunCancelled)).data;
  }

  /** The run's zip, once it is stored. */
  async download(projectId: string, runId: string, timeoutMs = 30_000): Promise<Buffer> {
    const deadline = Date.now() + timeoutMs;
    const path = `/v1/projects/${projectId}/runs/${runId}/download.zip`;
    for (;;) {
      const response = await this.fetch("GET", path);
      if (response.ok) return Buffer.from(await response.arrayBuffer());
      const text = await response.text();
      if (response.status !== 409 || Date.now() > deadline)
        throw new Error(`GET ${path}: ${response.status} ${text}`);
      await sleep(200);
    }
  }

  async #open(method: string, path: string, call: Call): Promise<FrameStream> {
    const abort = new AbortController();
    const response = await this.fetch(method, path, { ...call, signal: abort.signal });
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || !type.startsWith("text/event-stream"))
      throw new Error(`${method} ${path}: ${response.status} ${type} ${await response.text()}`);
    releaseAtEnd(() => abort.abort());
    return new FrameStream(response, abort);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function parse<T extends z.ZodType>(answer: Answer, schema: T): z.infer<T> {
  if (answer.status !== 200)
    throw new Error(`status ${answer.status}: ${JSON.stringify(answer.body)}`);
  return schema.parse(answer.body);
}
