import type { Alarm } from "../log/alarm.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { jsonLine } from "../stream/message-lines.ts";
import { streamStub } from "../stubs.ts";
import { decideAsk, decideFailed, decideNext, type WakeFacts } from "./decide-wake.ts";
import type { Stage, SubscriptionState } from "./state.ts";
import type { SubscriptionStore } from "./store.ts";

interface Parts {
  readonly env: PlatformEnv;
  readonly store: SubscriptionStore;
  readonly alarm: Alarm;
}

const minAlarmMs = 500;
/** How long an append to a wake stream may take before it counts as failed. */
const appendMs = 15_000;

/**
 * Sees to it that wakes are told. Each is a row that is written before anybody is told of it; what is due is found there, now
 * and by the alarm.
 */
export class Wakes {
  readonly #parts: Parts;
  readonly #busy = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Brings a subscription to where it belongs by now; null: there is none. Call it in the turn that changed something. */
  advance(id: string): SubscriptionState | null {
    const state = this.#parts.store.find(id);
    return state && this.save(state, decideNext(state, this.facts(id)));
  }

  save(before: SubscriptionState, state: SubscriptionState): SubscriptionState {
    if (state === before) return state;
    const { store } = this.#parts;
    store.save(state);
    if (state.generation !== before.generation) store.makeSnapshot(state.id);
    this.#arm();
    return state;
  }

  facts(id: string): WakeFacts {
    return {
      now: Date.now(),
      isPending: this.#parts.store.firstPending(id) !== null,
      wakeId: `w_${crypto.randomUUID().replaceAll("-", "")}`,
      jitter: Math.random(),
    };
  }

  /** Does what is due. One that takes long holds up no other. */
  async run(): Promise<void> {
    const { store } = this.#parts;
    const due = store.due(Date.now()).filter((id) => !this.#busy.has(id));
    await Promise.all(due.map((id) => this.#work(id)));
    this.#arm();
  }

  #arm(): void {
    const { store, alarm } = this.#parts;
    const at = store.nextDue();
    // What is due already is done at once: the alarm only makes sure.
    if (at !== null) alarm.by(Math.max(at, Date.now() + minAlarmMs));
  }

  async #work(id: string): Promise<void> {
    this.#busy.add(id);
    try {
      while (this.#parts.store.due(Date.now()).includes(id)) await this.#step(id);
    } finally {
      this.#busy.delete(id);
    }
  }

  async #step(id: string): Promise<void> {
    const state = this.advance(id);
    if (state?.stage.kind !== "owed" || state.stage.at > Date.now()) return;
    if (state.target.type === "webhook") await this.#askQueue(state, state.stage);
    else await this.#announce(state, state.stage, state.target.wakeStream);
  }

  /** A message is a hint: when nobody takes the wake, the alarm sends another. */
  async #askQueue(
    state: SubscriptionState,
    stage: Extract<Stage, { kind: "owed" }>,
  ): Promise<void> {
    this.save(state, decideAsk(state, stage, Date.now()));
    const { orgId, id, generation } = state;
    const wake = { orgId, subscriptionId: id, generation };
    await this.#parts.env.WEBHOOKS.send({ wake }).catch(() => undefined);
  }

  async #announce(
    state: SubscriptionState,
    { wakeId }: Extract<Stage, { kind: "owed" }>,
    wakeStream: string,
  ): Promise<void> {
    const until = Date.now() + appendMs;
    this.save(state, { ...state, stage: { kind: "telling", wakeId, until } });
    const isTold = await this.#append(state, wakeStream).catch(() => false);
    const now = this.#parts.store.find(state.id);
    // A worker may have claimed it in the meantime.
    if (now?.stage.kind !== "telling" || now.stage.wakeId !== wakeId) return;
    if (isTold) this.save(now, { ...now, stage: { kind: "told", wakeId } });
    else this.save(now, decideFailed(now, now.stage, this.facts(now.id)));
  }

  async #append(state: SubscriptionState, wakeStream: string): Promise<boolean> {
    const { orgId, id, uid, generation } = state;
    const event = {
      type: "wake",
      subscription_id: id,
      stream: this.#parts.store.firstPending(id) ?? "",
      generation,
      ts: Date.now(),
    };
    const answer = await streamStub(this.#parts.env, orgId, wakeStream).append({
      lines: [jsonLine(JSON.stringify(event))],
      contentType: "application/json",
      close: false,
      // An epoch per wake: a repeat changes nothing, and one that was overtaken is refused.
      producer: { id: `__ds/${uid}`, epoch: generation, seq: 0 },
      streamSeq: null,
    });
    return answer.ok;
  }
}
