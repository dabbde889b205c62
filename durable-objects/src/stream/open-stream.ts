import { encodeLogRow, packRows } from "../log/log-rows.ts";
import type { Alarm } from "../log/alarm.ts";
import type { Readers } from "../log/readers.ts";
import { decideAppend, type AppendDecision } from "./decide-append.ts";
import type { ProducerRecord } from "./decide-producer.ts";
import { expiryOf, type ProducerTry, type StreamState } from "./state.ts";
import { charsOf } from "./message-lines.ts";
import type { StreamStore } from "./store.ts";
import type {
  AppendAnswer,
  AppendRefusal,
  AppendRequest,
  StreamAddress,
  StreamFacts,
} from "./stream-rpc.ts";

interface Waiting {
  readonly request: AppendRequest;
  readonly resolve: (answer: AppendAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Parts {
  readonly address: StreamAddress;
  readonly store: StreamStore;
  readonly readers: Readers;
  readonly alarm: Alarm;
  readonly maxBytes: number;
  /** Called in the turn that wrote messages. */
  readonly onNews: () => void;
}

/** A stream that exists: its memory, and the one way in which it changes. */
export class OpenStream {
  readonly address: StreamAddress;
  readonly #parts: Parts;
  #state: StreamState;
  #tail: number;
  #waiting: Waiting[] = [];

  constructor(parts: Parts, state: StreamState) {
    this.#parts = parts;
    this.address = parts.address;
    this.#state = state;
    this.#tail = parts.store.tail().seq;
    this.armExpiry();
  }

  get state(): StreamState {
    return this.#state;
  }

  get tail(): number {
    return this.#tail;
  }

  facts(): StreamFacts {
    const { id, contentType, ttlSeconds, expiresAt, closed } = this.#state;
    return { id, contentType, ttlSeconds, expiresAt, closed, tail: this.#tail };
  }

  isExpired(now: number): boolean {
    const at = expiryOf(this.#state);
    return at !== null && now >= at;
  }

  /** Slides a TTL on. Written once a tenth of it has gone by, so that a read is seldom a write. */
  touch(now: number): void {
    const { ttlSeconds, touchedAt } = this.#state;
    if (ttlSeconds === null || now - touchedAt < ttlSeconds * 100) return;
    this.change({ touchedAt: now });
    this.armExpiry();
  }

  change(change: Partial<StreamState>): void {
    const state = { ...this.#state, ...change };
    this.#parts.store.save(this.address, state);
    this.#state = state;
  }

  /** Appends that arrive in one tick share one transaction, and each has its own answer. */
  append(request: AppendRequest): Promise<AppendAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#waiting.length === 1) setTimeout(() => this.#flush(), 0);
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const { store, maxBytes } = this.#parts;
      const batch = new Batch({ state: this.#state, tail: this.#tail, maxBytes }, store);
      const answers = waiting.map(({ request }) => batch.take(request));
      this.#commit(batch);
      for (const [index, answer] of answers.entries()) {
        waiting[index]?.resolve(this.#answer(answer));
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  #commit(batch: Batch): void {
    const { store, readers } = this.#parts;
    const now = Date.now();
    const rows = packRows(batch.lines, { first: this.#tail + 1, at: now });
    // Only a TTL asks when the stream was last used: without one, an append writes its messages and no more.
    const isTouched = batch.isChanged && batch.state.ttlSeconds !== null;
    const state = isTouched ? { ...batch.state, touchedAt: now } : batch.state;
    store.transaction(() => {
      for (const row of rows) store.insertRow(row, 0);
      for (const producer of batch.producers.values()) store.saveProducer(producer);
      if (state !== this.#state) store.save(this.address, state);
    });
    this.#tail += batch.lines.length;
    this.#state = state;
    this.armExpiry();
    if (batch.isChanged) readers.publish(rows.map(encodeLogRow));
    if (batch.lines.length > 0) this.#parts.onNews();
  }

  #answer({ decision, tail, closed, producer }: Taken): AppendAnswer {
    const facts = { ...this.facts(), tail, closed };
    if (decision.kind === "accepted") {
      return { ok: true, facts, written: true, producerSeq: producer?.seq ?? null };
    }
    if (decision.kind === "known") {
      return { ok: true, facts, written: false, producerSeq: decision.last };
    }
    return { ok: false, ...refusalOf(decision, facts) };
  }

  /** Sees to it that the object wakes when the stream goes. */
  armExpiry(): void {
    const at = expiryOf(this.#state);
    if (at !== null) this.#parts.alarm.by(at);
  }
}

type Refused = Exclude<AppendDecision, { readonly kind: "accepted" | "known" }>;

function refusalOf(decision: Refused, facts: StreamFacts): AppendRefusal {
  switch (decision.kind) {
    case "closed":
      return { code: "closed", facts };
    case "content_type":
    case "stream_seq":
    case "bad_start":
    case "full":
      return { code: decision.kind };
    case "stale":
      return { code: "stale", epoch: decision.epoch };
    case "gap":
      return { code: "gap", expected: decision.expected };
  }
}

interface Taken {
  readonly decision: AppendDecision;
  readonly producer: ProducerTry | null;
  /** As they were right after this append. */
  readonly tail: number;
  readonly closed: boolean;
}

/** Appends on their way to one transaction; each is decided on what those before it leave. */
class Batch {
  readonly lines: string[] = [];
  readonly producers = new Map<string, ProducerTry>();
  readonly #store: Pick<StreamStore, "producer">;
  readonly #before: StreamState;
  readonly #first: number;
  state: StreamState;
  #room: number;

  constructor(
    { state, tail, maxBytes }: { state: StreamState; tail: number; maxBytes: number },
    store: Pick<StreamStore, "producer" | "size">,
  ) {
    this.state = state;
    this.#before = state;
    this.#first = tail;
    this.#store = store;
    this.#room = maxBytes - store.size();
  }

  get isChanged(): boolean {
    return this.lines.length > 0 || this.state !== this.#before;
  }

  take(request: AppendRequest): Taken {
    const { producer, lines, close } = request;
    const known = producer === null ? null : this.#producer(producer.id);
    const isEmpty = lines.length === 0;
    const size = charsOf(lines);
    const fits = isEmpty || size <= this.#room;
    const decision = decideAppend(this.state, known, { ...request, isEmpty, fits });
    if (decision.kind === "accepted") {
      this.#room -= size;
      this.lines.push(...lines);
      if (producer !== null) this.producers.set(producer.id, producer);
      const { streamSeq } = request;
      if (streamSeq !== null) this.state = { ...this.state, streamSeq };
      if (close) this.state = { ...this.state, closed: true, closedBy: producer };
    }
    const tail = this.#first + this.lines.length;
    return { decision, producer, tail, closed: this.state.closed };
  }

  #producer(id: string): ProducerRecord | null {
    const taken = this.producers.get(id);
    return taken ? { epoch: taken.epoch, last: taken.seq } : this.#store.producer(id);
  }
}
