import {
  type LogFollow,
  type Logger,
  type OperatorToPool,
  type PoolStatus,
  PoolToOperator,
  type SessionReport,
  type SessionRun,
  type SessionStart,
  type SessionStop,
  sessionPaths,
} from "@millrace/contracts";
import type { Span } from "@millrace/telemetry";
import { WebSocket } from "ws";
import { backoffMs } from "../kube/backoff.ts";
import { type Clock, systemClock } from "../kube/clock.ts";
import { CommandQueue } from "./command-queue.ts";
import { socketAgent } from "./proxy.ts";
import { ReportOutbox } from "./report-outbox.ts";

export interface OperatorSocketOptions {
  readonly url: string;
  readonly pool: string;
  readonly token: () => string;
  readonly operatorId: string;
  readonly version: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly onOpen?: (isOpen: boolean) => void;
}

/**
 * What the platform asks and tells. A command is confirmed when its promise has resolved; rejected, it comes again. One that
 * resolves with a report is confirmed when the platform has that: nothing in the cluster would remember it.
 */
export interface PoolHandler {
  readonly start: (start: SessionStart) => Promise<SessionReport | undefined>;
  readonly stop: (stop: SessionStop) => Promise<SessionReport | undefined>;
  readonly changed: (run: SessionRun) => void;
  /** Somebody wants to see a log. */
  readonly follow: (log: LogFollow) => void;
  /** A connection stands: what changed without one was not told. */
  readonly welcome: () => void;
  readonly confirmed: (key: string) => void;
  readonly status: () => Omit<PoolStatus, "type" | "version" | "leader">;
}

const handshakeMs = 10_000;
const pingMs = 15_000;
const statusMs = 30_000;
const commandsAtATime = 10;
/** Between two words about the pool's state, however fast it changes. */
const statusGapMs = 1_000;
const bounds = { firstMs: 500, longestMs: 30_000 };

/** The operator's one connection to its pool. It comes back by itself until `close`. */
export class OperatorSocket {
  readonly #options: OperatorSocketOptions;
  readonly #handler: PoolHandler;
  readonly #clock: Clock;
  readonly #outbox: ReportOutbox;
  readonly #commands = new CommandQueue(commandsAtATime);
  #socket: WebSocket | undefined;
  #isWelcome = false;
  #isLeader = false;
  #isClosed = false;
  #isAlive = true;
  #tries = 0;
  readonly #timers = new Map<string, () => void>();
  #saidStatus = "";
  #statusSaidAt = -Infinity;

  constructor(options: OperatorSocketOptions, handler: PoolHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#clock = options.clock ?? systemClock;
    this.#outbox = new ReportOutbox(this.#clock, (report) => this.#send(report));
  }

  /** The platform answers over it. */
  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  open(): void {
    this.#isClosed = false;
    this.#connect();
  }

  #connect(): void {
    if (this.#isClosed || this.#socket) return;
    const { url, pool, token } = this.#options;
    const target = new URL(sessionPaths.operatorSocket(pool), url);
    target.protocol = target.protocol.replace("http", "ws");
    const socket = new WebSocket(target, {
      headers: { authorization: `Bearer ${token()}` },
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
      ...socketAgent(target),
    });
    this.#socket = socket;
    socket.on("open", () => this.#opened(socket));
    socket.on("message", (data, isBinary) => {
      // Text arrives as one Buffer: `fragments` and `arraybuffer` are asked for nowhere.
      if (!isBinary && Buffer.isBuffer(data)) this.#received(data.toString("utf8"));
    });
    socket.on("pong", () => (this.#isAlive = true));
    socket.on("unexpected-response", (_request, response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      this.#options.log.warn("the edge does not let this operator join", {
        status,
        hint: hints.get(status),
      });
      socket.terminate();
    });
    // Every error is followed by "close", where the next try is planned.
    socket.on("error", (error) =>
      this.#options.log.warn("the edge's socket failed", { error: error.message }),
    );
    socket.on("close", () => this.#lost(socket));
  }

  close(): void {
    this.#isClosed = true;
    this.#outbox.clear();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** Commands come to the replica that leads. */
  setLeader(isLeader: boolean): void {
    if (this.#isLeader === isLeader) return;
    this.#isLeader = isLeader;
    if (!isLeader) {
      this.#outbox.clear();
      this.#commands.clear();
    }
    if (this.#socket?.readyState === WebSocket.OPEN) this.#hello();
  }

  /** Sends until the platform has confirmed the key, and resolves then. The same key again changes nothing. */
  report(report: SessionReport, span?: Span): Promise<void> {
    return this.#outbox.add(report, span);
  }

  /** What `status` answers may be another by now. */
  statusChanged(): void {
    if (this.#timers.has("news")) return;
    const delay = Math.max(0, this.#statusSaidAt + statusGapMs - this.#clock.monotonic());
    const say = (): void => {
      this.#timers.delete("news");
      if (JSON.stringify(this.#handler.status()) !== this.#saidStatus) this.#status();
    };
    this.#timers.set("news", this.#clock.schedule(delay, say));
  }

  #opened(socket: WebSocket): void {
    this.#isAlive = true;
    this.#hello();
    this.#every("ping", pingMs, () => {
      if (!this.#isAlive) return socket.terminate();
      this.#isAlive = false;
      socket.ping();
    });
    this.#every("status", statusMs, () => this.#status());
  }

  #hello(): void {
    const { operatorId, version } = this.#options;
    this.#write({ type: "hello", operatorId, version, leader: this.#isLeader });
    this.#status();
  }

  #status(): void {
    const { version } = this.#options;
    const status = this.#handler.status();
    this.#saidStatus = JSON.stringify(status);
    this.#statusSaidAt = this.#clock.monotonic();
    this.#write({ type: "pool.status", version, leader: this.#isLeader, ...status });
  }

  #received(text: string): void {
    const message = parse(text);
    if (!message) {
      this.#options.log.warn("the edge sent what is not understood");
      return;
    }
    switch (message.type) {
      case "welcome":
        this.#tries = 0;
        this.#isWelcome = true;
        this.#options.onOpen?.(true);
        this.#outbox.sendAll();
        this.#handler.welcome();
        return;
      case "run.changed":
        this.#handler.changed(message.run);
        return;
      case "log.follow":
        if (this.#isLeader) this.#handler.follow(message);
        return;
      case "ack":
        this.#outbox.confirm(message.key);
        this.#handler.confirmed(message.key);
        return;
      case "session.start":
        this.#obey(message.key, () => this.#handler.start(message));
        return;
      case "session.stop":
        this.#obey(message.key, () => this.#handler.stop(message));
        return;
    }
  }

  /** Without an answer the command comes again; so a failure needs no more than a line. */
  #obey(key: string, act: () => Promise<SessionReport | undefined>): void {
    if (!this.#isLeader) return;
    this.#commands.add(key, () =>
      act()
        .then((report) => this.#confirm(key, report))
        .catch((error: unknown) =>
          this.#options.log.warn("a command of the edge failed", { key, error }),
        ),
    );
  }

  /** Whose report is on its way holds up no other command. */
  #confirm(key: string, report: SessionReport | undefined): void {
    const ack = (): void => void this.#write({ type: "ack", key });
    if (report === undefined) ack();
    else void this.report(report).then(ack);
  }

  #send(report: SessionReport): boolean {
    return this.#isWelcome && this.#write(report);
  }

  #write(message: OperatorToPool): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #lost(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#isWelcome = false;
    this.#options.onOpen?.(false);
    for (const name of ["ping", "status"]) this.#timers.get(name)?.();
    if (this.#isClosed) return;
    this.#tries += 1;
    const delay = backoffMs(bounds, this.#tries);
    this.#timers.set(
      "open",
      this.#clock.schedule(delay, () => this.#connect()),
    );
  }

  #every(name: string, ms: number, act: () => void): void {
    const next = (): void => {
      this.#timers.set(
        name,
        this.#clock.schedule(ms, () => {
          act();
          next();
        }),
      );
    };
    this.#timers.get(name)?.();
    next();
  }
}

const hints: ReadonlyMap<number, string> = new Map([
  [401, "is the token in the pool's Secret the one that the edge knows?"],
  [404, "is EDGE_URL an edge's, and is the token of this POOL?"],
]);

function parse(text: string): PoolToOperator | undefined {
  try {
    const message = PoolToOperator.safeParse(JSON.parse(text));
    return message.success ? message.data : undefined;
  } catch {
    return undefined;
  }
}
