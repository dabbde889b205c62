import { DurableObject } from "cloudflare:workers";
import { limits } from "@millrace/contracts";
import { streamMigrations } from "@millrace/migrations";
import { Alarm } from "../log/alarm.ts";
import { packRows, pageOf } from "../log/log-rows.ts";
import { readerTag, Readers } from "../log/readers.ts";
import { applyMigrations } from "../migrate.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { readQuotas } from "../quotas.ts";
import { streamStub, subscriptionsStub } from "../stubs.ts";
import { Announcer } from "./announcer.ts";
import { copyFork } from "./copy-fork.ts";
import { isSameStream, makeStream } from "./decide-create.ts";
import { charsOf } from "./message-lines.ts";
import { OpenStream } from "./open-stream.ts";
import type { Standing } from "./standing.ts";
import { mediaTypeOf, type StreamState } from "./state.ts";
import { StreamStore } from "./store.ts";
import {
  streamSocketPath,
  type AppendAnswer,
  type AppendRequest,
  type CreateAnswer,
  type FollowAnswer,
  type ForkAnswer,
  type ReadAnswer,
  type StreamAddress,
  type StreamConfig,
  type StreamFacts,
  type StreamMissing,
  type StreamRpc,
} from "./stream-rpc.ts";

/** A fork's copy that takes longer than this has died, or is found by the next alarm. */
const unfinishedMs = 5 * 60_000;

/**
 * One stream of the Durable Streams protocol: a log of messages with the same rows, readers and group commit as a run's. A thin
 * shell: what may happen is decided in decide-*.ts.
 */
export class StreamObject extends DurableObject<PlatformEnv> implements StreamRpc {
  readonly #store: StreamStore;
  #alarm: Alarm;
  #readers: Readers;
  #announcer: Announcer;
  #stream: OpenStream | null = null;
  /** One creation at a time: a fork's waits for its source in the middle. */
  #creating: Promise<unknown> = Promise.resolve();
  #isCreating = false;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    this.#store = new StreamStore(ctx.storage);
    this.#alarm = new Alarm(ctx.storage, null);
    this.#readers = this.#makeReaders();
    this.#announcer = this.#makeAnnouncer(null);
    void ctx.blockConcurrencyWhile(async () => {
      if (!this.#store.exists()) return;
      applyMigrations(ctx.storage, streamMigrations);
      this.#alarm = new Alarm(ctx.storage, await ctx.storage.getAlarm());
      this.#announcer = this.#makeAnnouncer(this.#store.standing());
      const saved = this.#store.load();
      if (saved === null) return;
      this.#stream = this.#open(saved.address, saved.state);
      this.#announcer.adopt(saved.address, saved.state.id);
    });
  }

  create(
    address: StreamAddress,
    config: StreamConfig,
    lines: readonly string[],
  ): Promise<CreateAnswer> {
    const created = this.#creating.then(() => this.#create(address, config, lines));
    this.#creating = created.catch(() => undefined);
    return created;
  }

  async append(request: AppendRequest): Promise<AppendAnswer> {
    const found = this.#find();
    if (!found.ok) return found;
    const answer = await found.stream.append(request);
    await this.#announcer.settle();
    return answer;
  }

  async facts(): Promise<{ readonly ok: true; readonly facts: StreamFacts } | StreamMissing> {
    const found = this.#find();
    return found.ok ? { ok: true, facts: found.stream.facts() } : found;
  }

  async read(after: number, chars: number): Promise<ReadAnswer> {
    const found = this.#find();
    if (!found.ok) return found;
    found.stream.touch(Date.now());
    const { text, last } = pageOf(this.#store, after + 1, chars);
    return { ok: true, facts: found.stream.facts(), rows: text, last };
  }

  async remove(): Promise<{ readonly ok: true } | StreamMissing> {
    const found = this.#find();
    if (!found.ok) return found;
    await this.#remove(found.stream);
    return { ok: true };
  }

  async follow(mark: number): Promise<FollowAnswer> {
    const found = this.#find();
    if (!found.ok) return found;
    this.#announcer.follow(mark);
    return { ok: true, streamId: found.stream.state.id, tail: found.stream.tail };
  }

  async admitFork(
    name: string,
    contentType: string | null,
    at: number | null,
  ): Promise<ForkAnswer> {
    const found = this.#find();
    if (!found.ok) return found;
    const { stream } = found;
    const { contentType: own, ttlSeconds, expiresAt } = stream.state;
    if (contentType !== null && mediaTypeOf(contentType) !== mediaTypeOf(own)) {
      return { ok: false, code: "type" };
    }
    if (at !== null && at > stream.tail) return { ok: false, code: "beyond_end" };
    this.#store.addFork(name);
    return {
      ok: true,
      seq: at ?? stream.tail,
      source: { contentType: own, ttlSeconds, expiresAt },
    };
  }

  async releaseFork(name: string): Promise<void> {
    if (this.#stream === null) return;
    this.#store.removeFork(name);
    if (this.#stream.state.gone && this.#store.forks().length === 0)
      await this.#erase(this.#stream);
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const found = this.#find();
    const after = Number(searchParams.get("after"));
    if (pathname !== streamSocketPath || !found.ok || !Number.isSafeInteger(after)) {
      return new Response(null, { status: 404 });
    }
    if (this.#readers.count >= readQuotas(this.env).LIMIT_READERS_PER_LOG) {
      return new Response(null, { status: 429 });
    }
    found.stream.touch(Date.now());
    return this.#readers.accept(this.ctx, after, true);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (typeof message === "string") this.#readers.consumed(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    this.#readers.closed(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#readers.closed(socket);
  }

  /** Never throws. Serves the stream's expiry and readers that are stuck. */
  override async alarm(): Promise<void> {
    this.#alarm.set(null);
    const now = Date.now();
    if (this.#readers.closeStuck(now)) this.#alarm.by(now + limits.readerStuckMs);
    const stream = this.#stream;
    try {
      await this.#announcer.tell();
      // A creation that died in the middle: nobody was told of it.
      if (this.#isCreating) this.#alarm.by(now + unfinishedMs);
      else if (stream === null) this.#store.clear();
      if (stream === null) return;
      if (stream.isExpired(now)) await this.#remove(stream);
      else stream.armExpiry();
    } catch {
      this.#alarm.by(Date.now() + 5_000);
    }
  }

  async #create(
    address: StreamAddress,
    config: StreamConfig,
    lines: readonly string[],
  ): Promise<CreateAnswer> {
    const found = this.#find();
    if (found.ok) {
      const isSame = isSameStream(found.stream.state, config);
      if (!isSame) return { ok: false, code: "conflict" };
      return { ok: true, created: false, facts: found.stream.facts() };
    }
    if (found.code === "gone") return { ok: false, code: "conflict" };
    if (charsOf(lines) > this.#maxBytes()) return { ok: false, code: "full" };
    applyMigrations(this.ctx.storage, streamMigrations);
    this.#store.clear();
    const { fork } = config;
    if (fork === null) {
      return this.#begin(address, config, { lines, first: 1, source: null, forkedAt: 0 });
    }
    if (fork.source === address.name) return { ok: false, code: "source_not_found" };
    const source = streamStub(this.env, address.orgId, fork.source);
    this.#alarm.by(Date.now() + unfinishedMs);
    this.#isCreating = true;
    try {
      const wish = { name: address.name, config, fork };
      const copy = await copyFork(source, wish, (copied, first) => this.#write(copied, first));
      if (!copy.ok) {
        this.#store.clear();
        return copy;
      }
      const { source: from, seq: forkedAt, count } = copy;
      return this.#begin(address, config, { lines, first: count + 1, source: from, forkedAt });
    } finally {
      this.#isCreating = false;
    }
  }

  #write(lines: readonly string[], first: number): void {
    const rows = packRows(lines, { first, at: Date.now() });
    this.#store.transaction(() => {
      for (const row of rows) this.#store.insertRow(row, 0);
    });
  }

  #begin(
    address: StreamAddress,
    config: StreamConfig,
    start: {
      readonly lines: readonly string[];
      readonly first: number;
      readonly source: Pick<StreamState, "contentType" | "ttlSeconds" | "expiresAt"> | null;
      readonly forkedAt: number;
    },
  ): CreateAnswer {
    const now = Date.now();
    const state = makeStream(config, { ...start, id: crypto.randomUUID(), now });
    this.#store.transaction(() => {
      const { lines, first } = start;
      for (const row of packRows(lines, { first, at: now })) this.#store.insertRow(row, 0);
      this.#store.save(address, state);
      this.#announcer.begin(address, state.id);
    });
    this.#stream = this.#open(address, state);
    this.#announcer.changed();
    return { ok: true, created: true, facts: this.#stream.facts() };
  }

  #find(): { readonly ok: true; readonly stream: OpenStream } | StreamMissing {
    const stream = this.#stream;
    // An expired stream is gone at once; the alarm only frees its storage.
    if (stream === null || stream.isExpired(Date.now())) return { ok: false, code: "not_found" };
    return stream.state.gone ? { ok: false, code: "gone" } : { ok: true, stream };
  }

  /** Forks need nothing of their source: they keep its name taken, as the protocol wants, and no more. */
  async #remove(stream: OpenStream): Promise<void> {
    this.#readers.closeAll(1000, "deleted");
    await this.#forgetLostForks(stream.address);
    if (this.#store.forks().length > 0) {
      stream.change({ gone: true, ttlSeconds: null, expiresAt: null });
      this.#announcer.removed();
    } else await this.#erase(stream);
  }

  /** A fork that was admitted and died before it existed would keep the name taken for ever. */
  async #forgetLostForks({ orgId }: StreamAddress): Promise<void> {
    for (const name of this.#store.forks()) {
      const answer = await streamStub(this.env, orgId, name).facts();
      if (!answer.ok && answer.code === "not_found") this.#store.removeFork(name);
    }
  }

  async #erase(stream: OpenStream): Promise<void> {
    const { fork } = stream.state;
    const { orgId, name } = stream.address;
    // Dying after this leaves a fork that its source has forgotten, which does neither any harm.
    if (fork !== null) await streamStub(this.env, orgId, fork.source).releaseFork(name);
    this.#stream = null;
    this.#readers = this.#makeReaders();
    this.#store.clear();
    this.#alarm.set(null);
    this.#announcer.removed();
  }

  #open(address: StreamAddress, state: StreamState): OpenStream {
    const parts = { store: this.#store, readers: this.#readers, alarm: this.#alarm };
    const onNews = () => this.#announcer.changed();
    return new OpenStream({ ...parts, address, maxBytes: this.#maxBytes(), onNews }, state);
  }

  #maxBytes(): number {
    return readQuotas(this.env).LIMIT_STREAM_BYTES;
  }

  #makeAnnouncer(standing: Standing | null): Announcer {
    const parts = { store: this.#store, alarm: this.#alarm, tail: () => this.#stream?.tail ?? 0 };
    const subscriptions = (orgId: string) => subscriptionsStub(this.env, orgId);
    return new Announcer({ ...parts, subscriptions }, standing);
  }

  #makeReaders(): Readers {
    return new Readers(
      {
        store: this.#store,
        end: () => ({ seq: this.#stream?.tail ?? 0, over: this.#stream?.state.closed ?? true }),
        onStuck: () => this.#alarm.by(Date.now() + limits.readerStuckMs),
      },
      this.ctx.getWebSockets(readerTag),
    );
  }
}
