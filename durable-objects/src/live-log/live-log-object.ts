import { DurableObject } from "cloudflare:workers";
import { LogSourceMessage, limits, type LogSinkMessage } from "@millrace/contracts";
import { z } from "zod";
import { Readers, readerTag } from "../log/readers.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { readQuotas } from "../quotas.ts";
import { poolStub } from "../stubs.ts";
import { LiveLines } from "./live-lines.ts";
import { liveLogPaths, type LiveLogAddress } from "./live-log-rpc.ts";

const Address = z.object({
  orgId: z.string(),
  pool: z.string(),
  runId: z.string(),
  attempt: z.coerce.number().int(),
  container: z.string(),
});

/** What the operator says to a first reader. */
type Opened = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** An operator that was asked opens its socket within this, or is as good as away. */
const openMs = 10_000;
const askAgainMs = [500, 1000, 2000, 4000, 8000, 15_000, 30_000] as const;

/**
 * One container's log while somebody follows it. Nothing is stored: lines come from the operator as long as there are readers, who
 * share one connection of it, and whoever has the id of a line goes on from there, here or in the next life of this object.
 */
export class LiveLogObject extends DurableObject<PlatformEnv> {
  readonly #lines = new LiveLines();
  readonly #readers: Readers;
  #address: LiveLogAddress | null = null;
  #source: WebSocket | null = null;
  #isOver = false;
  /** Where lines are wanted from, as long as none is here. */
  #from: number | null = null;
  #opening: PromiseWithResolvers<Opened> | null = null;
  #tries = 0;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    // Readers of an earlier life: what they have is not known to be followed by what comes now, so they come again.
    for (const socket of ctx.getWebSockets(readerTag)) socket.close(1012, "start again");
    this.#readers = new Readers(
      {
        store: this.#lines,
        end: () => ({ seq: this.#lines.last, over: this.#isOver }),
        onStuck: () => void this.ctx.storage.setAlarm(Date.now() + limits.readerStuckMs),
      },
      [],
    );
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const address = Address.safeParse(Object.fromEntries(searchParams));
    if (!address.success) return new Response(null, { status: 400 });
    if (request.headers.get("Upgrade") !== "websocket") return new Response(null, { status: 426 });
    this.#address = address.data;
    if (pathname === liveLogPaths.source) return this.#connect();
    if (pathname !== liveLogPaths.read) return new Response(null, { status: 404 });
    return this.#read(Number(searchParams.get("after") ?? 0));
  }

  override webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): void {
    if (typeof text === "string") this.#readers.consumed(socket, text);
  }

  override webSocketClose(socket: WebSocket): void {
    this.#left(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#left(socket);
  }

  override async alarm(): Promise<void> {
    if (this.#readers.closeStuck(Date.now())) {
      await this.ctx.storage.setAlarm(Date.now() + limits.readerStuckMs);
    }
  }

  async #read(after: number): Promise<Response> {
    const max = readQuotas(this.env).LIMIT_READERS_PER_LOG;
    if (this.#readers.count >= max) return refuse("readers_per_log", 429);
    if (this.#lines.last === 0 && after > 0) this.#from ??= after;
    if (this.#source === null && !this.#isOver) {
      const opened = await this.#ask();
      if (!opened.ok) return refuse("unavailable", 409, opened.message);
    }
    return this.#readers.accept(this.ctx, after);
  }

  /** Has the operator open its socket; readers that come meanwhile wait for the same. */
  #ask(): Promise<Opened> {
    if (this.#opening) return this.#opening.promise;
    const opening = Promise.withResolvers<Opened>();
    this.#opening = opening;
    const timer = setTimeout(() => this.#answer(operatorAway), openMs);
    void opening.promise.then(() => clearTimeout(timer));
    void this.#tellOperator();
    return opening.promise;
  }

  async #tellOperator(): Promise<void> {
    if (this.#address === null) return;
    const { orgId, pool, ...log } = this.#address;
    try {
      const isTold = await poolStub(this.env, orgId, pool).followLog(log);
      if (!isTold) this.#answer(operatorAway);
    } catch {
      this.#answer(operatorAway);
    }
  }

  #answer(opened: Opened): void {
    this.#opening?.resolve(opened);
    this.#opening = null;
  }

  /** The newest counts: another replica may lead by now. */
  #connect(): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    // Not hibernatable: what is remembered here lives as long as its source is connected.
    socket.accept();
    const older = this.#source;
    this.#source = socket;
    older?.close(1000, "replaced");
    socket.addEventListener("message", ({ data }) => {
      if (this.#source === socket) this.#hear(socket, data);
    });
    const end = () => this.#lost(socket);
    socket.addEventListener("close", end);
    socket.addEventListener("error", end);
    const after = this.#lines.last > 0 ? this.#lines.last : this.#from;
    say(socket, { type: "from", after });
    return new Response(null, { status: 101, webSocket: client });
  }

  #hear(socket: WebSocket, data: unknown): void {
    const message = parse(data);
    switch (message?.type) {
      case undefined:
        socket.close(1008, "not a message of a log's source");
        return;
      case "opened":
        this.#tries = 0;
        this.#answer({ ok: true });
        return;
      case "refused":
        this.#refused(message.message);
        return;
      case "lines":
        this.#lines.push(message.lines, Date.now());
        say(socket, { type: "taken", chars: charsOf(message.lines) });
        this.#readers.publish([]);
        return;
      case "end":
        this.#isOver = true;
        this.#answer({ ok: true });
        this.#readers.publish([]);
        this.#rest();
        return;
    }
  }

  /** There is no such container any more, or not yet. Who followed it has had all that there was. */
  #refused(message: string): void {
    this.#answer({ ok: false, message });
    this.#source = null;
    this.#readers.closeAll(1000, "gone");
    this.#rest();
  }

  #lost(socket: WebSocket): void {
    if (this.#source !== socket) return;
    this.#source = null;
    if (this.#isOver || this.#readers.count === 0) return this.#answer(operatorAway);
    void this.#reopen();
  }

  /** The operator is replaced, or its connection broke: readers notice nothing of it but the silence. */
  async #reopen(): Promise<void> {
    const delayMs = askAgainMs[this.#tries];
    if (delayMs === undefined) return this.#readers.closeAll(1012, "the operator is away");
    this.#tries += 1;
    await scheduler.wait(delayMs);
    if (this.#source !== null || this.#isOver || this.#readers.count === 0) return;
    const opened = await this.#ask();
    if (!opened.ok && this.#source === null) await this.#reopen();
  }

  #left(socket: WebSocket): void {
    this.#readers.closed(socket);
    if (this.#readers.count === 0) this.#rest();
  }

  /** Nobody reads: the operator need not send, and nothing is remembered. */
  #rest(): void {
    if (this.#readers.count > 0) return;
    const source = this.#source;
    this.#source = null;
    source?.close(1000, "nobody reads");
    this.#lines.clear();
    this.#isOver = false;
    this.#from = null;
    this.#tries = 0;
  }
}

const operatorAway: Opened = { ok: false, message: "the operator of its cluster is not connected" };

const refuse = (code: string, status: number, message = code): Response =>
  Response.json({ code, message }, { status });

const charsOf = (lines: readonly (readonly [number, string])[]): number =>
  lines.reduce((sum, [, text]) => sum + text.length, 0);

function say(socket: WebSocket, message: LogSinkMessage): void {
  try {
    socket.send(JSON.stringify(message));
  } catch {
    // It is gone; its close event says so.
  }
}

function parse(data: unknown): LogSourceMessage | null {
  if (typeof data !== "string") return null;
  try {
    return LogSourceMessage.parse(JSON.parse(data));
  } catch {
    return null;
  }
}
