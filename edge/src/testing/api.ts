import { exports } from "cloudflare:workers";
import { v1, type JsonValue } from "@millrace/contracts";

/** The front door, as a client in the same process reaches it. Tests share one org, so names are made unique. */
export const apiKey = "test-api-key";

export interface Ask {
  readonly method?: string;
  readonly body?: BodyInit;
  readonly json?: JsonValue;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: without a key. */
  readonly key?: string | null;
}

let names = 0;
export const uniqueName = (kind: string) => `${kind}-${(names += 1)}-${crypto.randomUUID()}`;

export function ask(path: string, request: Ask = {}): Promise<Response> {
  const { json, body = json === undefined ? undefined : JSON.stringify(json) } = request;
  const headers = new Headers(request.headers);
  const key = request.key === undefined ? apiKey : request.key;
  if (key !== null) headers.set("x-agent-api-key", key);
  const method = request.method ?? (body === undefined ? "GET" : "POST");
  return exports.default.fetch(`https://edge${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test says what it expects to find
  readonly body: any;
}

export async function askJson(path: string, request: Ask = {}): Promise<Answer> {
  const response = await ask(path, request);
  const body: unknown = await response.json();
  if (response.status >= 400 && response.status !== 503) v1.Problem.parse(body);
  return { status: response.status, headers: response.headers, body };
}

/** A new project; answers its path. */
export async function makeProject(): Promise<{ readonly id: string; readonly path: string }> {
  const id = uniqueName("project");
  await askJson("/v1/projects", { json: { id } });
  return { id, path: `/v1/projects/${id}` };
}

/** Starts a run and answers what was said about it. */
export async function makeRun(
  project: { readonly path: string },
  body: JsonValue = { prompt: "do it" },
  key = uniqueName("key"),
): Promise<Answer> {
  const noun = typeof body === "object" && body !== null && "content" in body ? "messages" : "runs";
  return askJson(`${project.path}/${noun}`, { json: body, headers: { "idempotency-key": key } });
}

/** The frames of an event stream, comments left out. */
export function framesOf(text: string): readonly v1.V1Frame[] {
  const blocks = text.split("\n\n").filter((block) => block !== "" && !block.startsWith(":"));
  return blocks.map((block) => v1.V1Frame.parse(JSON.parse(block.split("\ndata: ")[1] ?? "")));
}
