import type { Alarm } from "../log/alarm.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { streamStub } from "../stubs.ts";
import type { LinkStore } from "./link-store.ts";
import { isMatch, literalPrefix } from "./match-pattern.ts";
import type { SubscriptionState } from "./state.ts";
import type { SubscriptionStore } from "./store.ts";
import type { Interest, StreamEnd } from "./subscriptions-rpc.ts";

interface Parts {
  readonly env: PlatformEnv;
  readonly store: SubscriptionStore;
  readonly links: LinkStore;
  readonly alarm: Alarm;
}

/** Streams that are asked at a time. */
const batch = 20;
const askAgainMs = 2_000;
/** Whoever subscribes waits this long for the streams: of a pattern with very many the rest is asked later. */
const patienceMs = 5_000;

/** Ties subscriptions to streams: those that are named, and those that a pattern fits, now and later. */
export class Links {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A new subscription's links. Its streams have to be asked where they end. */
  begin(state: SubscriptionState, explicit: readonly string[]): void {
    this.follow(state, explicit);
    if (state.pattern === null) return;
    const { links } = this.#parts;
    for (const name of links.names(literalPrefix(state.pattern))) {
      if (fits(state, name)) links.add(state.id, name, { kind: "glob", acked: null });
    }
  }

  follow(state: SubscriptionState, names: readonly string[]): void {
    const { links } = this.#parts;
    for (const name of names) links.add(state.id, name, { kind: "explicit", acked: null });
  }

  /** What a stream says of itself. One that is new is offered to every pattern, from its first message on. */
  told({ name, streamId, tail }: StreamEnd): Interest {
    const { links, store } = this.#parts;
    const known = links.streamId(name);
    // Its removal was lost, or is still on its way.
    if (known !== null && known !== streamId) links.forget(name);
    links.saveStream({ name, streamId, tail });
    if (known !== streamId) {
      for (const state of store.all().filter((one) => fits(one, name))) {
        links.add(state.id, name, { kind: "glob", acked: 0 });
      }
    }
    return links.interest(name);
  }

  removed(name: string, streamId: string): void {
    const { links } = this.#parts;
    if (links.streamId(name) === streamId) links.forget(name);
  }

  /** Asks the streams of new links where they end, and has them tell. What fails is left to the alarm. */
  async settle(): Promise<readonly string[]> {
    const { alarm, links } = this.#parts;
    const answered: string[] = [];
    const until = Date.now() + patienceMs;
    for (let asked = links.unasked(batch); asked.length > 0; asked = links.unasked(batch)) {
      alarm.by(Date.now() + askAgainMs);
      const asking = asked.map(({ name, subscription }) => this.#ask(name, subscription));
      const answers = await Promise.allSettled(asking);
      if (answers.some(({ status }) => status === "rejected")) break;
      answered.push(...asked.map(({ name }) => name));
      if (Date.now() > until) break;
    }
    return answered;
  }

  /** Brings the known end of a stream up to date. */
  async refresh(orgId: string, name: string): Promise<void> {
    const answer = await streamStub(this.#parts.env, orgId, name).facts();
    if (!answer.ok || this.#parts.links.streamId(name) !== answer.facts.id) return;
    const { id: streamId, tail } = answer.facts;
    this.#parts.links.saveStream({ name, streamId, tail });
  }

  async #ask(name: string, subscription: string): Promise<void> {
    const { env, links, store } = this.#parts;
    const orgId = store.find(subscription)?.orgId;
    if (orgId === undefined) return;
    const mark = links.newMark();
    const answer = await streamStub(env, orgId, name).follow(mark);
    store.transaction(() => {
      // It may be the first that is heard of the stream: other patterns wait for it.
      if (answer.ok) this.told({ name, streamId: answer.streamId, tail: answer.tail });
      // A stream that is yet to come is read from its start.
      links.answered(name, answer.ok ? answer.tail : 0);
    });
  }
}

/** Its own wake stream would wake a subscription for ever. */
function fits({ pattern, target }: SubscriptionState, name: string): boolean {
  if (target.type === "pull-wake" && target.wakeStream === name) return false;
  return pattern !== null && isMatch(pattern, name);
}
