import { request as httpRequest } from "node:http";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";

/**
 * A WebSocket client that costs next to nothing, so that the bench measures the server: messages can be
 * encoded before the clock starts, any number of them leaves in one write, and the mask is zero.
 */
export class WebSocketClient {
  readonly #socket: Socket;
  readonly #onText: (text: string) => void;
  #rest: Buffer = Buffer.alloc(0);
  #fragments = "";

  private constructor(socket: Socket, head: Buffer, onText: (text: string) => void) {
    this.#socket = socket;
    this.#onText = onText;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    if (head.length > 0) this.#read(head);
  }

  static connect(
    url: URL,
    headers: Readonly<Record<string, string>>,
    onText: (text: string) => void,
  ): Promise<WebSocketClient> {
    const upgrade = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
    };
    return new Promise((resolve, reject) => {
      const request = httpRequest(url, { agent: false, headers: { ...headers, ...upgrade } });
      request.on("upgrade", (_response, socket: Socket, head) =>
        resolve(new WebSocketClient(socket, head, onText)),
      );
      request.on("response", (response) =>
        reject(new Error(`${url.pathname} answered ${response.statusCode} to an upgrade`)),
      );
      request.on("error", reject);
      request.end();
    });
  }

  /** Resolves never: the caller learns of a lost connection by its own deadline. */
  send(message: Uint8Array): void {
    this.#socket.write(message);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const frame = parseFrame(data);
      if (!frame) break;
      data = data.subarray(frame.end);
      this.#take(frame);
    }
    this.#rest = data;
  }

  #take(frame: ServerFrame): void {
    if (frame.opcode === 0x9) this.send(encodeMessage(frame.payload.toString("utf8"), 0xa));
    if (frame.opcode > 0x2) return;
    this.#fragments += frame.payload.toString("utf8");
    if (!frame.final) return;
    const text = this.#fragments;
    this.#fragments = "";
    this.#onText(text);
  }
}

interface ServerFrame {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
  readonly end: number;
}

/** One text message, ready to be written to a socket. */
export function encodeMessage(text: string, opcode = 0x1): Buffer {
  const payload = Buffer.from(text, "utf8");
  const size = payload.length;
  const headBytes = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  // The four zero bytes after the head are the mask: a client must send one, and zero changes nothing.
  const message = Buffer.alloc(headBytes + 4 + size);
  message[0] = 0x80 | opcode;
  message[1] = 0x80 | (headBytes === 2 ? size : headBytes === 4 ? 126 : 127);
  if (headBytes === 4) message.writeUInt16BE(size, 2);
  if (headBytes === 10) message.writeBigUInt64BE(BigInt(size), 2);
  payload.copy(message, headBytes + 4);
  return message;
}

function parseFrame(data: Buffer): ServerFrame | undefined {
  if (data.length < 2) return undefined;
  const short = (data[1] ?? 0) & 0x7f;
  const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (data.length < headBytes) return undefined;
  const size =
    short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short;
  const end = headBytes + size;
  if (data.length < end) return undefined;
  const first = data[0] ?? 0;
  const payload = data.subarray(headBytes, end);
  return { final: (first & 0x80) !== 0, opcode: first & 0x0f, payload, end };
}

/** Messages in the order of their arrival, for whoever asks next. */
export class Inbox {
  readonly #texts: string[] = [];
  #onText: ((text: string) => void) | undefined;
  #wake: (() => void) | undefined;

  put(text: string): void {
    if (this.#onText) return this.#onText(text);
    this.#texts.push(text);
    this.#wake?.();
  }

  async next(): Promise<string> {
    for (;;) {
      const text = this.#texts.shift();
      if (text !== undefined) return text;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** From now on everything goes to `onText`, what waits here first. */
  forward(onText: (text: string) => void): void {
    this.#onText = onText;
    for (const text of this.#texts.splice(0)) onText(text);
  }
}
