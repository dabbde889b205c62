/**
 * The raw limit that the bench compares with: a Durable Object that does the minimum and promises nothing
 * (no lease, no fencing, no projection, no readers that are slow). Numbers from it say what the platform
 * itself costs on this machine.
 *
 *     GET  /logs/:name/socket     frames in, one insert a tick, cumulative acks out
 *     GET  /logs/:name/stream     ?after=<seq>: SSE held by the object, replay then live
 *     POST /logs/:name            a row is written, the answer is a held stream whose first frame is that row
 */
interface Env {
  readonly LOGS: DurableObjectNamespace;
}

interface Frame {
  readonly producerSeq: number;
  readonly events: readonly unknown[];
}

const encoder = new TextEncoder();
const sseHeaders = { "content-type": "text/event-stream", "cache-control": "no-store" };

export class BareObject {
  readonly #state: DurableObjectState;
  readonly #sql: SqlStorage;
  readonly #readers = new Set<WritableStreamDefaultWriter<Uint8Array>>();
  #tail: number;
  #pending: string[] = [];
  #producerSeq = 0;
  #producer: WebSocket | undefined;

  constructor(state: DurableObjectState) {
    this.#state = state;
    this.#sql = state.storage.sql;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS log (first INTEGER PRIMARY KEY, n INTEGER, body TEXT)",
    );
    this.#tail = Number(
      this.#sql.exec("SELECT coalesce(max(first + n - 1), 0) AS t FROM log").one()["t"],
    );
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/socket")) return this.#accept();
    if (url.pathname.endsWith("/stream"))
      return this.#follow(Number(url.searchParams.get("after")));
    const { prompt } = await request.json<{ prompt: string }>();
    this.#pending.push(JSON.stringify({ prompt }));
    this.#flush();
    return this.#follow(this.#tail - 1);
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    const frame = JSON.parse(message) as Frame;
    if (this.#pending.length === 0) setTimeout(() => this.#flush(), 0);
    for (const event of frame.events) this.#pending.push(JSON.stringify(event));
    this.#producerSeq = frame.producerSeq;
    this.#producer = socket;
  }

  #accept(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#state.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Everything that came in since the last tick becomes one row, one chunk for each reader and one ack. */
  #flush(): void {
    const lines = this.#pending;
    if (lines.length === 0) return;
    this.#pending = [];
    const first = this.#tail + 1;
    this.#sql.exec("INSERT INTO log VALUES (?, ?, ?)", first, lines.length, lines.join("\n"));
    this.#tail += lines.length;
    this.#producer?.send(`{"type":"ack","producerSeq":${this.#producerSeq},"tail":${this.#tail}}`);
    if (this.#readers.size === 0) return;
    const chunk = encoder.encode(formatFrames(lines, first));
    for (const reader of this.#readers) this.#write(reader, chunk);
  }

  #write(reader: WritableStreamDefaultWriter<Uint8Array>, chunk: Uint8Array): void {
    reader.write(chunk).catch(() => this.#readers.delete(reader));
  }

  #follow(after: number): Response {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#replay(writable.getWriter(), after).catch(() => undefined);
    return new Response(readable, { headers: sseHeaders });
  }

  async #replay(writer: WritableStreamDefaultWriter<Uint8Array>, after: number): Promise<void> {
    let next = after + 1;
    while (next <= this.#tail) {
      const page = this.#page(next);
      next = page.next;
      await writer.write(encoder.encode(page.text));
    }
    this.#readers.add(writer);
  }

  /** Rows of about 256 KB, formatted. Rows never straddle a cursor here: the bench resumes at row ends only. */
  #page(from: number): { readonly text: string; readonly next: number } {
    let text = "";
    let next = from;
    const rows = this.#sql.exec<{ n: number; body: string }>(
      "SELECT n, body FROM log WHERE first >= ? ORDER BY first",
      from,
    );
    for (const row of rows) {
      text += formatFrames(row.body.split("\n"), next);
      next += row.n;
      if (text.length > 256 * 1024) break;
    }
    return { text, next };
  }
}

function formatFrames(lines: readonly string[], first: number): string {
  let text = "";
  let id = first;
  for (const line of lines) {
    text += `id: ${id}\nevent: token\ndata: ${line}\n\n`;
    id += 1;
  }
  return text;
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    const name = new URL(request.url).pathname.split("/")[2] ?? "";
    return env.LOGS.get(env.LOGS.idFromName(name)).fetch(request);
  },
};
