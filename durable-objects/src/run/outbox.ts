import type { WebhookEvent } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import { threadStub } from "../stubs.ts";
import { saveArtifacts, saveRunIndex } from "./run-registry.ts";
import { costOf, findPrice, type PriceRow } from "./pricing.ts";
import { retryDelay, type DueItem, type DueKey } from "./decide-due.ts";
import { isWebhookKey, webhookKey } from "./decide-webhook.ts";
import type { Alarm } from "../log/alarm.ts";
import type { LogArchive } from "./log-archive.ts";
import type { RunRecord } from "./run-record.ts";
import type { Sessions } from "./sessions.ts";
import type { RunStore } from "./store.ts";
import { advanceWebhooks } from "./webhook-deliveries.ts";

interface Parts {
  readonly env: PlatformEnv;
  readonly record: RunRecord;
  readonly store: RunStore;
  readonly alarm: Alarm;
  readonly archive: LogArchive;
  readonly sessions: Sessions;
}

const immediately: readonly DueKey[] = ["report", "index", "artifacts", "pool"];
/** R2 forgets an upload that it aborted or completed; asking for ever would not change that. */
const maxAbortTries = 8;
/** An idle runner's way from offer to claim, several times over. */
const claimedSoonMs = 250;

/**
 * What the run owes to others: its thread, the registry, the pool. A row in the due table is the promise; it goes when the
 * effect is confirmed. Every effect is safe to repeat, and none may throw.
 */
export class Outbox {
  readonly #parts: Parts;
  readonly #busy = new Set<DueKey>();
  /** Of the first attempt, when the pool was asked before the run was written. */
  #offered: Promise<void> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Tries at once what was just promised; what fails is left to the alarm. */
  async deliverNow(): Promise<void> {
    for (const what of immediately) await this.deliver(what);
    for (const { what } of this.#parts.store.dueWebhooks()) await this.deliver(what);
  }

  /** Puts an owed item off to its next try; written before the try, so that a crash in it is a failed try. */
  postpone({ what, tries, mark }: DueItem, now: number): void {
    const at = now + retryDelay(what, tries + 1);
    this.#parts.store.saveDue({ what, at, tries: tries + 1, mark });
  }

  async deliver(what: DueKey): Promise<void> {
    if (this.#busy.has(what)) return;
    this.#busy.add(what);
    try {
      // A newer wish may arrive while an older one is under way: until the row is gone there is one more.
      for (let item = this.#parts.store.due(what); item; item = this.#parts.store.due(what)) {
        const again = await this.#perform(item);
        if (again !== null) return this.#lookAgain(item, again);
        this.#parts.store.confirmDue(item);
      }
    } catch {
      // The row stays: the alarm comes back to it.
    } finally {
      this.#busy.delete(what);
    }
  }

  /** Somebody wants an event to be delivered once more: what is pending of it is looked after, as at first. */
  owe(seq: number, type: WebhookEvent): void {
    const { store, alarm } = this.#parts;
    const now = Date.now();
    store.saveDue({ what: webhookKey(seq, type), at: now, tries: 0, mark: -now });
    alarm.by(now);
  }

  /** Hands the current attempt to pool and queue. Both may forget it; the alarm asks again. */
  async dispatch(): Promise<void> {
    const { env, record } = this.#parts;
    const { orgId, runId } = record.spec;
    const { attempt } = record.state;
    if (env.DISPATCH_FAST_PATH !== "off") {
      const offered = this.#offered ?? this.offer(attempt);
      this.#offered = null;
      await Promise.allSettled([offered]);
      await scheduler.wait(claimedSoonMs);
      // An idle runner has it by now, and nothing is left to ask the queue for.
      if (record.state.attempt !== attempt || record.state.stage.kind !== "dispatched") return;
    }
    await Promise.allSettled([env.DISPATCH.send({ orgId, runId, attempt })]);
  }

  /** The pool has been asked for the first attempt already: the dispatch that follows need not. */
  offeredFirst(answer: Promise<void>): void {
    this.#offered = answer;
  }

  offer(attempt: number): Promise<void> {
    return this.#parts.sessions.offer(attempt);
  }

  /** The runner's own accept has told the pool already, unless it was lost: no reason to be in the claim's way. */
  async withdrawClaimed(): Promise<void> {
    await scheduler.wait(claimedSoonMs);
    await this.withdraw();
  }

  /** Best effort: an offer of a run that needs no runner is refused at its claim. */
  async withdraw(): Promise<void> {
    try {
      await this.#parts.sessions.withdraw();
    } catch {
      // The pool finds out by itself.
    }
  }

  /** Looks up what the run cost, once it is over. A registry that does not answer leaves the question open. */
  async price(): Promise<void> {
    const { env, record } = this.#parts;
    const { usage, provider, model } = record.state;
    if (!this.#wantsPrice() || !usage || !provider || !model) return;
    let row: PriceRow | null;
    try {
      row = await findPrice(env.DB, provider, model);
    } catch {
      return;
    }
    // Others had a turn while the registry was asked.
    if (!this.#wantsPrice()) return;
    const cost = row && costOf(usage, row);
    const draft = record.draft(Date.now());
    const { state } = draft;
    draft.state = cost
      ? { ...state, price: { kind: "known", cost }, silentChanges: state.silentChanges + 1 }
      : { ...state, price: { kind: "unknown" } };
    record.commit(draft);
  }

  #wantsPrice(): boolean {
    const { stage, price } = this.#parts.record.state;
    return stage.kind === "over" && price.kind === "open";
  }

  /** Null: it is done. Else it goes on elsewhere, and is to be looked at again then. */
  async #perform(item: DueItem): Promise<number | null> {
    const { env, record } = this.#parts;
    if (isWebhookKey(item.what)) return advanceWebhooks(env, record.spec, item);
    await this.#fulfil(item);
    return null;
  }

  #lookAgain(item: DueItem, at: number): void {
    const { store, alarm } = this.#parts;
    // Asked for once more in the meantime: that wish has its own time.
    const current = store.due(item.what);
    if (current === null || current.mark !== item.mark) return;
    store.saveDue({ ...current, at, mark: -Math.abs(item.mark) });
    alarm.by(at);
  }

  async #fulfil(item: DueItem): Promise<void> {
    const { env, record } = this.#parts;
    if (item.what === "artifacts") {
      await saveArtifacts(env.DB, record.spec, record.state.artifacts);
      return;
    }
    if (item.what === "index") {
      // A registry that did not answer when the run ended is asked for the price again, before it is told the cost.
      await this.price();
      await saveRunIndex(env.DB, record.view());
      return;
    }
    await this.#tell(item);
  }

  async #tell(item: DueItem): Promise<void> {
    const { archive, sessions } = this.#parts;
    if (item.what === "report") await this.#report();
    if (item.what === "pool") await sessions.tell();
    if (item.what === "archive") await archive.move();
    if (item.what === "archived") await archive.tell();
    if (item.what.startsWith("abort:")) await this.#abort(item);
    if (item.what.startsWith("fence:")) await sessions.fence(Number(item.what.slice(6)));
  }

  async #report(): Promise<void> {
    const { env, record } = this.#parts;
    const { orgId, projectId } = record.spec;
    await threadStub(env, orgId, projectId).report({
      view: record.view(),
      workspace: record.state.workspace,
    });
  }

  async #abort({ what, tries }: DueItem): Promise<void> {
    const { env, store } = this.#parts;
    const id = what.slice("abort:".length);
    const upload = store.uploads().find((open) => open.id === id);
    if (upload === undefined) return;
    try {
      await env.ARCHIVES.resumeMultipartUpload(upload.key, id).abort();
    } catch (error) {
      if (tries < maxAbortTries) throw error;
    }
    store.deleteUpload(id);
  }
}
