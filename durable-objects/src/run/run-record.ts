import { type RunSpec, type RunStatus, type RunView } from "@millrace/contracts";
import type { Alarm } from "../log/alarm.ts";
import { retryDelay, waitsOf, type Owed } from "./decide-due.ts";
import { Draft } from "./draft.ts";
import type { RunMemory } from "./memory.ts";
import type { Release } from "./release.ts";
import { statusOf, versionOf, viewOf, type RunState, type Stage } from "./state.ts";
import type { RunStore } from "./store.ts";
import { encodeLogRow, type EncodedRow, type LogRow, type Tail } from "../log/log-rows.ts";
import type { Timings } from "./timings.ts";

const newsDelayMs = 500;

export interface Committed {
  readonly rows: readonly EncodedRow[];
  readonly before: RunMemory;
  readonly after: RunMemory;
}

/** The run's memory and the one way in which it changes: draft, transaction, memory, then the news. */
export class RunRecord {
  readonly spec: RunSpec;
  readonly #store: RunStore;
  readonly #alarm: Alarm;
  readonly #timings: Timings;
  readonly #onCommit: (committed: Committed) => void;
  #memory: RunMemory;
  #savedLeaseUntil: number;
  #release: Release | null = null;

  constructor(
    loaded: { readonly spec: RunSpec; readonly memory: RunMemory },
    parts: { readonly store: RunStore; readonly alarm: Alarm; readonly timings: Timings },
    onCommit: (committed: Committed) => void,
  ) {
    this.spec = loaded.spec;
    this.#memory = loaded.memory;
    this.#savedLeaseUntil = loaded.memory.lease?.until ?? 0;
    this.#store = parts.store;
    this.#alarm = parts.alarm;
    this.#timings = parts.timings;
    this.#onCommit = onCommit;
  }

  get state(): RunState {
    return this.#memory.state;
  }

  get tail(): Tail {
    return this.#memory.tail;
  }

  get memory(): RunMemory {
    return this.#memory;
  }

  /** What the run was released with: most often the claim follows so soon that it is still at hand. */
  release(): Release | null {
    this.#release ??= this.#store.loadRelease();
    return this.#release;
  }

  view(): RunView {
    return viewOf(this.spec, this.state, this.tail);
  }

  draft(now: number): Draft {
    const sources = { store: this.#store, spec: this.spec, timings: this.#timings };
    return new Draft(this.#memory, sources, now);
  }

  /** Writes a draft. It must have been made in this same synchronous turn. */
  commit(draft: Draft): void {
    const { before } = draft;
    const rows = draft.rows();
    const last = rows.at(-1);
    const tail = last ? { seq: last.first + last.n - 1, at: last.at } : before.tail;
    const { state, position, lease } = draft;
    const after: RunMemory = { state, tail, position, lease };
    if (state !== before.state) this.#planDue(draft, after);
    this.#planLease(draft);
    this.#store.transaction(() => this.#write(draft, rows));
    this.#memory = after;
    this.#release = draft.release ?? this.#release;
    for (const item of draft.due.values()) if (item !== null) this.#alarm.by(item.at);
    const saved = draft.due.get("lease");
    if (saved !== undefined) this.#savedLeaseUntil = saved?.at ?? 0;
    this.#onCommit({ rows: rows.map(encodeLogRow), before, after });
  }

  #write(draft: Draft, rows: readonly LogRow[]): void {
    const store = this.#store;
    for (const row of rows) store.insertRow(row, draft.before.state.attempt);
    if (draft.position !== draft.before.position) store.savePosition(draft.position);
    for (const step of draft.steps) store.insertStep(step);
    if (draft.input !== null) store.insertInput(draft.input);
    if (draft.state !== draft.before.state) store.save("state", draft.state);
    if (draft.release !== null) store.save("release", draft.release);
    this.#writeDue(draft);
    for (const [id, upload] of draft.uploads) {
      if (upload === null) store.deleteUpload(id);
      else store.saveUpload(upload);
    }
  }

  #writeDue({ due }: Draft): void {
    for (const [what, item] of due) {
      if (item === null) this.#store.deleteDue(what);
      else this.#store.saveDue(item);
    }
  }

  /** Waits follow the stage; a change that others can see is owed to them. */
  #planDue(draft: Draft, after: RunMemory): void {
    const { before } = draft;
    const had = waitsOf(before.state.stage, this.#timings);
    const has = waitsOf(after.state.stage, this.#timings);
    for (const what of had.keys()) if (!has.has(what)) draft.due.set(what, null);
    for (const [what, at] of has) {
      // An unchanged wait keeps its row: its tries have moved it on.
      if (had.get(what) !== at) draft.due.set(what, { what, at, tries: 0, mark: 0 });
    }
    const isNews =
      newsOf(before.state.stage) !== newsOf(after.state.stage) ||
      before.state.silentChanges !== after.state.silentChanges;
    const version = versionOf(after.state, after.tail);
    if (isNews) owe(draft, ["report", "index"], version);
    if (this.spec.workspaceBackend === "cluster") this.#planSession(draft, isNews, version);
    owe(draft, draft.told, draft.now);
    const isEnd = after.state.stage.kind === "over" && before.state.stage.kind !== "over";
    if (!isEnd) return;
    const at = draft.now + this.#timings.archiveAfterMs;
    draft.due.set("archive", { what: "archive", at, tries: 0, mark: 0 });
  }

  /** What the operator of the run's cluster is owed. */
  #planSession(draft: Draft, isNews: boolean, version: number): void {
    const { before, state } = draft;
    // Which model it is, is known a moment after the claim, and shows in the cluster.
    if (isNews || before.state.model !== state.model) owe(draft, ["pool"], version);
    if (!leftUnclaimed(before.state.stage, state.stage)) return;
    draft.fence(before.state.attempt);
  }

  #planLease(draft: Draft): void {
    const { lease, before } = draft;
    if (lease === before.lease) return;
    if (lease === null) {
      draft.due.set("lease", null);
      return;
    }
    const moved = lease.until - this.#savedLeaseUntil;
    const isRoutine = before.lease?.graced === lease.graced && moved >= 0;
    if (isRoutine && moved < this.#timings.leaseSaveMs) return;
    const { until: at, graced } = lease;
    draft.due.set("lease", { what: "lease", at, tries: 0, mark: graced ? 1 : 0 });
  }
}

/** A session may be on its way for an attempt that shall not be executed any more. */
function leftUnclaimed(before: Stage, after: Stage): boolean {
  return before.kind === "dispatched" && (after.kind === "over" || after.kind === "waiting");
}

/** That a runner was asked for is no news: to everyone else the run still waits for one. */
function newsOf(stage: Stage): RunStatus {
  return stage.kind === "dispatched" ? "queued" : statusOf(stage);
}

/**
 * Notes effects that somebody is owed. The end of a run is told at once, as the next run waits for it. Anything else is
 * told a moment later by the alarm: a new run then has the machine for itself, and quick changes are told together.
 */
export function owe(draft: Draft, effects: readonly Owed[], mark: number): void {
  const delayMs = draft.state.stage.kind === "over" ? retryDelay("report", 0) : newsDelayMs;
  for (const what of effects) {
    draft.due.set(what, { what, at: draft.now + delayMs, tries: 0, mark });
  }
}
