import { once } from "node:events";
import type { AddressInfo } from "node:net";
import {
  type LogFollow,
  type LogSinkMessage,
  LogSourceMessage,
  limits,
  makeLogger,
} from "@millrace/contracts";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { makePod, makeSession, runId } from "../agentic-session/testing/make-facts.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { ApiRequest } from "../kube/kube-transport.ts";
import { LiveLogs } from "./live-logs.ts";

const ask: LogFollow = { type: "log.follow", runId, attempt: 1, container: "runner" };
const waitMs = 10_000;

/** What the platform's side of a log's socket gets, and says. */
class Sink {
  readonly heard: LogSourceMessage[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<unknown>;

  constructor(socket: WebSocket, isTaking: boolean) {
    this.socket = socket;
    this.closed = once(socket, "close");
    socket.on("message", (data: Buffer) => {
      const message = LogSourceMessage.parse(JSON.parse(data.toString("utf8")));
      this.heard.push(message);
      if (isTaking && message.type === "lines") this.take(charsOf(message));
    });
  }

  say(message: LogSinkMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  take(chars: number): void {
    this.say({ type: "taken", chars });
  }

  get chars(): number {
    return this.heard.reduce((sum, one) => sum + (one.type === "lines" ? charsOf(one) : 0), 0);
  }
}

const charsOf = ({ lines }: Extract<LogSourceMessage, { type: "lines" }>): number =>
  lines.reduce((sum, [, text]) => sum + text.length, 0);

async function serve(
  log: (asked: ApiRequest) => AsyncIterable<string>,
  { isTaking = true, hasPod = true } = {},
) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const sinks: Sink[] = [];
  server.on("connection", (socket) => sinks.push(new Sink(socket, isTaking)));
  const over = new AbortController();
  onTestFinished(() => {
    over.abort();
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const asked: ApiRequest[] = [];
  const request = async (one: ApiRequest) => {
    asked.push(one);
    return { status: 200, bytes: () => encode(log(one)) } as unknown as Awaited<
      ReturnType<KubeClient["request"]>
    >;
  };
  const pod = hasPod ? makePod({ phase: "Running" }) : undefined;
  const logs = new LiveLogs({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: () => "pool-token",
    settings: { pool: "default", providerSecret: undefined },
    log: makeLogger({ secrets: [], write: () => undefined }),
    find: () => ({ session: makeSession({ status: { runId } }), pod }),
  });
  logs.lead({ api: { request, get: async () => undefined }, signal: over.signal });
  logs.follow(ask);
  logs.follow(ask);
  await vi.waitUntil(() => sinks.length > 0, waitMs);
  const [sink] = sinks;
  if (!sink) throw new Error("no socket");
  return { logs, sink, sinks, asked };
}

async function* encode(log: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const piece of log) yield Buffer.from(piece, "utf8");
}

const at = (micros: number) => `2026-01-01T00:00:01.${String(micros).padStart(6, "0")}000Z`;
const idOf = (micros: number) => Date.UTC(2026, 0, 1, 0, 0, 1) * 1000 + micros;

describe("a live log", () => {
  it("goes over one socket, with an id per line and without secrets, to its end", async () => {
    const { sink, sinks, asked } = await serve(async function* log() {
      yield `${at(5)} one\n${at(5)} key sk-proj-abcDEF12`;
      yield `34567890abcd\n${at(9)} -----BEGIN PRIVATE KEY-----\n${at(10)} MIIE\n`;
      yield `${at(11)} -----END PRIVATE KEY-----\n${at(12)} last`;
    });
    sink.say({ type: "from", after: null });
    await sink.closed;
    expect(sink.heard[0]).toEqual({ type: "opened" });
    expect(sink.heard.flatMap((one) => (one.type === "lines" ? one.lines : []))).toEqual([
      [idOf(5), "one"],
      [idOf(6), "key [redacted]"],
      [idOf(11), "[redacted]"],
      [idOf(12), "last"],
    ]);
    expect(sink.heard.at(-1)).toEqual({ type: "end" });
    expect(sinks).toHaveLength(1);
    expect(asked[0]?.query).toMatchObject({ follow: true, tailLines: limits.liveLogTailLines });
  });

  it("goes on after the line that the platform has", async () => {
    const { sink, asked } = await serve(async function* log() {
      yield `${at(5)} one\n${at(5)} two\n${at(5)} three\n`;
    });
    sink.say({ type: "from", after: idOf(6) });
    await sink.closed;
    expect(sink.heard).toContainEqual({ type: "lines", lines: [[idOf(7), "three"]] });
    expect(asked[0]?.query).toMatchObject({ sinceTime: "2026-01-01T00:00:01Z" });
  });

  it("is read no faster than the platform takes it, and no longer", async () => {
    let isLeft = false;
    let written = 0;
    const { sink } = await serve(
      async function* log() {
        try {
          for (;;) {
            yield `${at(5)} ${"x".repeat(1000)}\n`;
            written += 1000;
          }
        } finally {
          isLeft = true;
        }
      },
      { isTaking: false },
    );
    sink.say({ type: "from", after: null });
    await vi.waitUntil(() => sink.chars >= limits.readerCreditBytes, waitMs);
    const before = written;
    expect(before).toBeLessThan(limits.readerCreditBytes * 2);
    sink.take(100_000);
    await vi.waitUntil(() => written > before, waitMs);
    expect(written).toBeLessThan(limits.readerCreditBytes * 2 + 100_000);
    sink.take(sink.chars);
    sink.socket.close(1000);
    await vi.waitUntil(() => isLeft, waitMs);
  });

  it("says why there is none", async () => {
    const none = await serve(async function* log() {}, { hasPod: false });
    none.sink.say({ type: "from", after: null });
    await none.sink.closed;
    expect(none.sink.heard).toMatchObject([
      { type: "refused", message: "attempt 1 has no pod in the cluster now" },
    ]);
    const waiting = await serve(() => {
      throw new ApiError({ status: 400, reason: "invalid", message: "waiting to start" });
    });
    waiting.sink.say({ type: "from", after: null });
    await waiting.sink.closed;
    expect(waiting.sink.heard[0]).toMatchObject({
      message: expect.stringContaining("waiting to start"),
    });
  });
});
