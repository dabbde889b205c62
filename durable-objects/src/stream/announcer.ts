import type { Alarm } from "../log/alarm.ts";
import type { SubscriptionsRpc } from "../subscriptions/subscriptions-rpc.ts";
import { isOwed, type Standing } from "./standing.ts";
import type { StreamStore } from "./store.ts";
import type { StreamAddress } from "./stream-rpc.ts";

interface Parts {
  readonly store: StreamStore;
  readonly alarm: Alarm;
  /** Number of the last message. */
  readonly tail: () => number;
  readonly subscriptions: (orgId: string) => SubscriptionsRpc;
}

const retryMs = 5_000;
/** An append's answer waits this long for the subscriptions: then whoever reads it finds work to claim. */
const patienceMs = 2_000;

/**
 * Tells the org's subscriptions that the stream exists, how far it goes while somebody follows it, and that it is gone. What is
 * owed follows from what is stored; a stream that nobody follows owes nothing for its appends.
 */
export class Announcer {
  readonly #parts: Parts;
  #standing: Standing | null;
  #isTelling = false;
  #waiting: { readonly tail: number; readonly resolve: () => void }[] = [];

  constructor(parts: Parts, standing: Standing | null) {
    this.#parts = parts;
    this.#standing = standing;
  }

  get isOwed(): boolean {
    return this.#standing !== null && isOwed(this.#standing, this.#parts.tail());
  }

  /** Call it in the transaction that creates the stream. */
  begin({ orgId, name }: StreamAddress, streamId: string): void {
    const fresh = { told: -1, isFollowed: false, mark: 0, isRemoved: false };
    this.#save({ orgId, name, streamId, ...fresh });
  }

  /** A stream that is older than subscriptions makes itself known with its next message. */
  adopt(address: StreamAddress, streamId: string): void {
    if (this.#standing === null) this.begin(address, streamId);
  }

  /** Call it in the turn that removes the stream. */
  removed(): void {
    if (this.#standing !== null) this.#save({ ...this.#standing, isRemoved: true });
    this.changed();
  }

  /** Somebody follows the stream from its current end on. */
  follow(mark: number): void {
    const standing = this.#standing;
    if (standing === null) return;
    const told = Math.max(standing.told, this.#parts.tail());
    this.#save({ ...standing, told, isFollowed: true, mark: Math.max(mark, standing.mark) });
  }

  /** Call it in the turn that changed something: the alarm stands by. */
  changed(): void {
    if (!this.isOwed) return;
    this.#parts.alarm.by(Date.now() + retryMs);
    void this.tell();
  }

  /** Until the subscriptions know of everything up to now, or for as long as an append can wait. */
  async settle(): Promise<void> {
    if (!this.isOwed || !this.#isTelling) return;
    const patience = new AbortController();
    const late = scheduler.wait(patienceMs, { signal: patience.signal }).catch(() => undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ tail: this.#parts.tail(), resolve });
    await Promise.race([promise, late]);
    patience.abort();
  }

  /** One at a time, the latest end next. Never throws. */
  async tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      while (this.isOwed && this.#standing !== null) await this.#tellOnce(this.#standing);
    } catch {
      // What is owed stays owed: the alarm comes back to it.
      this.#parts.alarm.by(Date.now() + retryMs);
    } finally {
      this.#isTelling = false;
      this.#release(Number.POSITIVE_INFINITY);
    }
  }

  async #tellOnce(standing: Standing): Promise<void> {
    const { orgId, name, streamId, isRemoved } = standing;
    const subscriptions = this.#parts.subscriptions(orgId);
    if (isRemoved) {
      await subscriptions.streamRemoved(name, streamId);
      // Another stream may have the name by now.
      if (this.#standing?.streamId === streamId) this.#save(null);
      return;
    }
    const tail = this.#parts.tail();
    const interest = await subscriptions.streamTold({ name, streamId, tail });
    const now = this.#standing;
    if (now?.streamId !== streamId || now.isRemoved) return;
    const isNews = interest.mark >= now.mark;
    this.#save({
      ...now,
      told: Math.max(now.told, tail),
      ...(isNews && { isFollowed: interest.isFollowed, mark: interest.mark }),
    });
    this.#release(tail);
  }

  #save(standing: Standing | null): void {
    this.#parts.store.saveStanding(standing);
    this.#standing = standing;
  }

  #release(upTo: number): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ tail }) => tail > upTo);
    for (const { tail, resolve } of waiting) if (tail <= upTo) resolve();
  }
}
