import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { OperatorToPool, type PoolToOperator, type SessionReport } from "@millrace/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { OperatorSocket, type PoolHandler } from "./operator-socket.ts";

const runId = "01890000-0000-7000-8000-000000000001";
const report: SessionReport = {
  type: "report",
  key: `${runId}/1/start_failed`,
  runId,
  attempt: 1,
  kind: "start_failed",
  reason: "OwnerNotPermitted",
  message: "no",
  evidence: {},
  retryable: false,
};
const stop: PoolToOperator = {
  type: "session.stop",
  key: "stop/1",
  runId,
  attempt: 1,
  by: "fence",
  graceMs: 0,
};
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The pool's end: it hears, and says only what a test tells it to. */
class Pool {
  readonly heard: OperatorToPool[] = [];
  readonly tokens: (string | undefined)[] = [];
  readonly #server = createServer();
  #socket: WebSocket | undefined;

  async listen(): Promise<string> {
    const sockets = new WebSocketServer({ server: this.#server });
    sockets.on("connection", (socket, request) => {
      this.#socket = socket;
      this.tokens.push(request.headers.authorization);
      socket.on("message", (data: Buffer) =>
        this.heard.push(OperatorToPool.parse(JSON.parse(data.toString("utf8")))),
      );
      this.say({ type: "welcome", orgId: "org", pool: "default" });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  say(message: PoolToOperator): void {
    this.#socket?.send(JSON.stringify(message));
  }

  drop(): void {
    this.#socket?.terminate();
  }

  of<T extends OperatorToPool["type"]>(type: T) {
    return this.heard.filter(
      (one): one is Extract<OperatorToPool, { type: T }> => one.type === type,
    );
  }

  close(): void {
    this.drop();
    this.#server.close();
  }
}

describe("the operator's socket", () => {
  let pool: Pool;
  let socket: OperatorSocket;
  let ready: number;
  let token: string;
  let onStop: PoolHandler["stop"];

  beforeEach(async () => {
    [pool, ready, token, onStop] = [new Pool(), 0, "first", async () => undefined];
    const handler: PoolHandler = {
      start: async () => undefined,
      stop: (message) => onStop(message),
      changed: () => undefined,
      follow: () => undefined,
      welcome: () => undefined,
      confirmed: () => undefined,
      status: () => ({ free: null, warm: { size: 1, ready }, sessions: {} }),
    };
    const url = await pool.listen();
    const operatorId = "5e000000-0000-4000-8000-000000000001";
    const options = { url, pool: "default", operatorId, version: "1.0.0", token: () => token };
    socket = new OperatorSocket({ ...options, log: { ...log, with: () => log } as never }, handler);
    socket.setLeader(true);
    socket.open();
    await vi.waitUntil(() => pool.of("pool.status").length === 1, 10_000);
  });

  afterEach(() => {
    socket.close();
    pool.close();
  });

  it("tells a changed state of the pool, and tells none twice", async () => {
    socket.statusChanged();
    ready = 1;
    for (let times = 0; times < 100; times += 1) socket.statusChanged();
    // Half a minute would pass before it is told anyhow.
    await vi.waitFor(() => expect(pool.of("pool.status")).toHaveLength(2), 10_000);
    expect(pool.of("pool.status")[1]).toMatchObject({ warm: { size: 1, ready: 1 } });
    socket.statusChanged();
    ready = 2;
    await vi.waitFor(() => expect(pool.of("pool.status").at(-1)?.warm.ready).toBe(2), 10_000);
    expect(pool.of("pool.status")).toHaveLength(3);
  });

  it("confirms a command that was refused when the platform has the refusal, and not before", async () => {
    onStop = async () => report;
    pool.say(stop);
    await vi.waitFor(() => expect(pool.of("report")).toHaveLength(1));
    pool.drop();
    // An operator that dies here is told the command again: nobody but the platform remembers it.
    await vi.waitFor(() => expect(pool.of("report")).toHaveLength(2), 10_000);
    expect(pool.of("ack")).toEqual([]);
    pool.say({ type: "ack", key: report.key });
    await vi.waitFor(() => expect(pool.of("ack")).toMatchObject([{ key: stop.key }]));
  });

  it("comes back with the token that is in the file by then", async () => {
    expect(pool.tokens).toEqual(["Bearer first"]);
    token = "second";
    pool.drop();
    await vi.waitFor(() => expect(pool.tokens).toEqual(["Bearer first", "Bearer second"]), 10_000);
  });
});
