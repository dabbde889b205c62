import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";

export interface StreamRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly method?: "GET" | "POST";
  readonly body?: string;
}

const stuckMs = 120_000;

/** Opens a response and leaves its body to the caller. */
export function openStream(stream: StreamRequest): Promise<{
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
}> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(stream.url, {
      agent: false,
      method: stream.method ?? "GET",
      headers: stream.headers,
    });
    request.on("response", (response) => {
      if (response.statusCode === 200) return resolve({ request, response });
      response.setEncoding("utf8").once("data", (text: string) => {
        reject(new Error(`${stream.url.pathname} answered ${response.statusCode}: ${text}`));
      });
    });
    request.on("error", reject);
    request.end(stream.body);
  });
}

/**
 * Calls `onFrame(id, text)` for every SSE frame as it arrives and resolves when it answers true, which
 * also ends the connection. Comments are skipped.
 */
export async function readFrames(
  stream: StreamRequest,
  onFrame: (id: number, text: string) => boolean | undefined,
  onOpen: () => void = () => undefined,
): Promise<void> {
  const { request, response } = await openStream(stream);
  onOpen();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error("a stream fell silent")), stuckMs);
  let rest = "";
  // One byte is one unit in latin1: the cheapest way to look for ASCII lines.
  response.setEncoding("latin1");
  response.on("data", (chunk: string) => {
    const text = rest + chunk;
    let from = 0;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", from)) {
      const frame = text.slice(from, end);
      from = end + 2;
      if (!frame.startsWith("id: ")) continue;
      try {
        if (onFrame(Number.parseInt(frame.slice(4), 10), frame) === true) return resolve();
      } catch (error) {
        return reject(error);
      }
    }
    rest = text.slice(from);
  });
  response.on("end", () => reject(new Error("a stream ended early")));
  response.on("error", reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    // An abort after the frame that ends the measurement is no failure of the stream.
    response.removeAllListeners("error").on("error", () => undefined);
    request.on("error", () => undefined).destroy();
  }
}

/** The whole stream up to frame `lastId`, unparsed: for replays, where parsing would be part of the figure. */
export async function readUntil(stream: StreamRequest, lastId: number): Promise<Buffer[]> {
  const { request, response } = await openStream(stream);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  const mark = Buffer.from(`id: ${lastId}\n`);
  let tail: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => reject(new Error("a replay fell silent")), stuckMs);
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    // Only the end can hold the last frame; the chunk before counts too, as the mark may be cut in two.
    tail = Buffer.concat([tail, chunk.subarray(-2048)]).subarray(-4096);
    if (tail.includes(mark) && tail.subarray(-2).toString("latin1") === "\n\n") resolve();
  });
  response.on("end", () => reject(new Error("a replay ended early")));
  response.on("error", reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    response.removeAllListeners("error").on("error", () => undefined);
    request.on("error", () => undefined).destroy();
  }
  return chunks;
}
