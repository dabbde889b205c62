import {
  encodeEvent,
  isWebhookEvent,
  limits,
  type NewEvent,
  type PackedRow,
  type RunnerEvent,
  type RunSpec,
  type Step,
} from "@millrace/contracts";
import type { ProducerPosition } from "./decide-append.ts";
import { decideDispatch } from "./decide-dispatch.ts";
import { abortDue, fencedUploadMs, type DueItem, type DueKey } from "./decide-due.ts";
import type { Lease } from "./decide-expiry.ts";
import { decideOutcome, type AttemptEnd } from "./decide-outcome.ts";
import { webhookKey, type WebhookKey } from "./decide-webhook.ts";
import { foldEvent } from "./fold-event.ts";
import { findInterrupted, nothingInterrupted, type Interrupted } from "./open-constructs.ts";
import type { RunMemory } from "./memory.ts";
import type { Release } from "./release.ts";
import type { RunState } from "./state.ts";
import type { OpenUpload, RunStore, StoredInput, StoredStep } from "./store.ts";
import { packRows, type LogRow } from "../log/log-rows.ts";
import type { Timings } from "./timings.ts";

/** What a draft may look at beside the memory: it never writes. */
export interface DraftSources {
  readonly store: Pick<RunStore, "rowsFrom" | "checkpointSeq" | "uploads">;
  readonly spec: RunSpec;
  readonly timings: Timings;
}

/**
 * What one transaction will write. Everything is decided here, against a copy; the record's own memory changes only
 * when the transaction has succeeded.
 */
export class Draft {
  readonly now: number;
  readonly before: RunMemory;
  state: RunState;
  lease: Lease | null;
  position: ProducerPosition;
  release: Release | null = null;
  input: StoredInput | null = null;
  readonly steps: StoredStep[] = [];
  readonly due = new Map<DueKey, DueItem | null>();
  readonly uploads = new Map<string, OpenUpload | null>();
  /** Events of this draft that webhooks may be waiting for. */
  readonly told: WebhookKey[] = [];
  readonly #sources: DraftSources;
  readonly #lines: string[] = [];

  constructor(before: RunMemory, sources: DraftSources, now: number) {
    this.before = before;
    this.#sources = sources;
    this.now = now;
    this.state = before.state;
    this.lease = before.lease;
    this.position = before.position;
  }

  /** Seq of the last event, those of this draft included. */
  get tail(): number {
    return this.before.tail.seq + this.#lines.length;
  }

  apply(change: { readonly state: RunState; readonly events: readonly NewEvent[] }): void {
    this.state = change.state;
    for (const event of change.events) {
      this.#lines.push(encodeEvent(event));
      if (isWebhookEvent(event.type)) this.told.push(webhookKey(this.tail, event.type));
    }
  }

  /** Appends what a runner sent. False, and nothing appended, if an event is too large for the log. */
  append(events: readonly RunnerEvent[], steps: readonly Step[] = []): boolean {
    const lines = events.map((event) => encodeEvent(event));
    if (lines.some((line) => line.length > limits.inlineBodyMaxBytes)) return false;
    for (const event of events) this.state = foldEvent(this.state, event);
    this.#lines.push(...lines);
    for (const step of steps) {
      this.steps.push({ ...step, attempt: this.state.attempt, seq: this.tail });
    }
    return true;
  }

  /** Has the run a checkpoint, with this draft? */
  get hasSteps(): boolean {
    return this.steps.length > 0 || this.#sources.store.checkpointSeq() > 0;
  }

  /** Ends the current attempt: closes what it left open, then whatever follows from how it ended. */
  endAttempt(end: AttemptEnd, jitter: number): void {
    const { spec, timings } = this.#sources;
    const ended = {
      end,
      maxAttempts: spec.maxAttempts,
      lateArchiveMs: timings.lateArchiveMs,
      interrupted: this.#interrupted(),
      now: this.now,
      jitter,
    };
    const { attempt } = this.state;
    this.apply(decideOutcome(this.state, ended));
    this.lease = null;
    // It may live on; whoever started it is to end it.
    const isUnknown = end.kind === "lease_expired" || end.kind === "cancel_unanswered";
    if (isUnknown && spec.workspaceBackend === "cluster") this.fence(attempt);
    this.#abandonUploads();
    const { stage } = this.state;
    if (stage.kind === "queued" && stage.readyAt <= this.now) this.dispatch();
  }

  /** Has the session of an attempt stopped, which may execute it still. */
  fence(attempt: number): void {
    const what = `fence:${attempt}` as const;
    this.due.set(what, { what, at: this.now, tries: 0, mark: 0 });
  }

  /** The run's predecessors are over: its first attempt may go. */
  releaseTo(release: Release): void {
    this.release = release;
    this.dispatch();
  }

  /** Allocates the next attempt, if the run waits for one. */
  dispatch(): void {
    const change = decideDispatch(this.state, this.now);
    if (change !== null) this.apply(change);
  }

  /** The draft's events as the log stores them. */
  rows(): LogRow[] {
    return packRows(this.#lines, { first: this.before.tail.seq + 1, at: this.now });
  }

  /** What the attempt left unfinished is aborted soon, or when the time for its late archive is up. */
  #abandonUploads(): void {
    const { stage } = this.state;
    const until = stage.kind === "over" ? stage.uploadsUntil : null;
    for (const { id } of this.#sources.store.uploads()) {
      const item = abortDue(id, (until ?? this.now) + fencedUploadMs);
      this.due.set(item.what, item);
    }
  }

  #interrupted(): Interrupted {
    const first = this.state.attemptFirst;
    if (first === 0) return nothingInterrupted;
    return findInterrupted({
      first,
      checkpointSeq: this.steps.at(-1)?.seq ?? this.#sources.store.checkpointSeq(),
      tail: this.tail,
      rows: this.#rowsSince(first),
      now: this.now,
    });
  }

  *#rowsSince(seq: number): Generator<PackedRow> {
    if (seq <= this.before.tail.seq) yield* this.#sources.store.rowsFrom(seq);
    yield* this.rows();
  }
}
