import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { exampleSession } from "./example-session.ts";
import { makeChunks } from "./make-chunks.ts";
import { RequestLog, type RequestRecord } from "./request-log.ts";
import { Scenario, type Fault, type ScenarioInput } from "./scenario.ts";
import { ModelRequest, selectTurn, type SelectedTurn } from "./select-turn.ts";

export interface ModelServerOptions {
  /** 0, or left out: any free port. */
  readonly port?: number;
  /** Scripts that a prompt names with `[script:name]`, beside `example`. */
  readonly scenarios?: Readonly<Record<string, ScenarioInput>>;
  /** When given, a request with another key is answered 401. */
  readonly apiKey?: string;
}

export interface ModelServer {
  /** Ends in `/v1`: the value of `OPENAI_BASE_URL`. */
  readonly url: string;
  readonly port: number;
  /** Everything that was asked so far; `GET /_log` answers the same over HTTP. */
  log(): readonly RequestRecord[];
  stop(): Promise<void>;
}

/**
 * A model behind the real wire format: Chat Completions, streamed. What it says is a script that the
 * prompt names or carries; without one it replays a recorded session that builds a small program.
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const scenarios = Object.fromEntries(
    Object.entries({ example: exampleSession, ...options.scenarios }).map(([name, scenario]) => [
      name,
      Scenario.parse(scenario),
    ]),
  );
  const log = new RequestLog();
  const server = createServer((request, response) => {
    void answer(request, response, { scenarios, log, apiKey: options.apiKey }).catch((error) => {
      refuse(response, 500, error instanceof Error ? error.message : String(error));
    });
  });
  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    log: () => log.records(),
    stop: () => close(server),
  };
}

function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}

interface Desk {
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly log: RequestLog;
  readonly apiKey: string | undefined;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  desk: Desk,
): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  if (path === "/_log") return sendJson(response, 200, { requests: desk.log.records() });
  if (path === "/v1/models") return sendJson(response, 200, { object: "list", data: [] });
  if (path !== "/v1/chat/completions" || request.method !== "POST") {
    return refuse(response, 404, `${request.method} ${path} is not here`);
  }
  if (desk.apiKey && request.headers.authorization !== `Bearer ${desk.apiKey}`) {
    return refuse(response, 401, `Incorrect API key provided: ${request.headers.authorization}`);
  }
  const parsed = ModelRequest.safeParse(JSON.parse(await text(request)));
  if (!parsed.success) return refuse(response, 400, parsed.error.message);
  const selected = selectTurn(parsed.data, desk.scenarios);
  const record = desk.log.open(parsed.data, selected);
  response.on("close", () => desk.log.close(record, response.writableFinished));
  await play(response, parsed.data, { selected, tries: record.tries });
}

interface Play {
  readonly selected: SelectedTurn;
  readonly tries: number;
}

async function play(response: ServerResponse, request: ModelRequest, at: Play): Promise<void> {
  const { turn } = at.selected;
  const fault = faultOf(at);
  await sleep(turn.delayMs);
  if (fault?.kind === "status") {
    const headers = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
    return refuse(response, fault.status, fault.message, headers);
  }
  const withUsage = request["stream_options"] !== undefined;
  const chunks = makeChunks(at.selected, request.model, withUsage);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const frames = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  await writeSlowly(response, frames.slice(0, fault?.afterChunks), turn.tokenDelayMs);
  if (fault) return breakOff(response, fault);
  response.end("data: [DONE]\n\n");
}

function faultOf({ selected, tries }: Play): Fault | undefined {
  const { fault } = selected.turn;
  return fault && tries <= (fault.times ?? Number.POSITIVE_INFINITY) ? fault : undefined;
}

async function writeSlowly(
  response: ServerResponse,
  frames: readonly string[],
  delayMs: number,
): Promise<void> {
  for (const frame of frames) {
    if (response.destroyed) return;
    response.write(frame);
    if (delayMs > 0) await sleep(delayMs);
  }
}

async function breakOff(
  response: ServerResponse,
  fault: Exclude<Fault, { kind: "status" }>,
): Promise<void> {
  switch (fault.kind) {
    case "cut":
      // What was written must be on its way before the connection goes, or the client sees none of it.
      await sleep(20);
      response.destroy();
      return;
    case "truncate":
      response.end();
      return;
    case "silence":
      response.flushHeaders();
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** An error as OpenAI shapes it. */
function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { message, type: "scripted", code: null } }));
}
