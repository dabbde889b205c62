import { DurableObject } from "cloudflare:workers";
import { limits } from "@millrace/contracts";
import { subscriptionsMigrations } from "@millrace/migrations";
import { Alarm } from "../log/alarm.ts";
import { applyMigrations } from "../migrate.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { readQuotas } from "../quotas.ts";
import { findRefusal } from "./decide-fence.ts";
import { decideTake, decideTold, hold, settled, wakeIdOf } from "./decide-wake.ts";
import { LinkStore } from "./link-store.ts";
import { Links } from "./links.ts";
import type { SubscriptionState } from "./state.ts";
import { SubscriptionStore } from "./store.ts";
import type {
  AckAnswer,
  AckRequest,
  ClaimAnswer,
  Interest,
  PutAnswer,
  ReleaseAnswer,
  SigningKey,
  StreamEnd,
  SubscriptionsRpc,
  SubscriptionView,
  SubscriptionWish,
  TakenWake,
  TellOutcome,
  WakeProof,
  WakeRefusal,
} from "./subscriptions-rpc.ts";
import { readWakeToken, signWakeToken } from "./wake-token.ts";
import { Wakes } from "./wakes.ts";

const retryMs = 5_000;

/**
 * The subscriptions of one org. It knows every stream by name and who follows it; streams that are followed tell it of every
 * new end. What may happen is decided in decide-*.ts.
 */
export class SubscriptionsObject extends DurableObject<PlatformEnv> implements SubscriptionsRpc {
  readonly #store: SubscriptionStore;
  readonly #linkStore: LinkStore;
  #links: Links;
  #wakes: Wakes;
  #alarm: Alarm;

  constructor(ctx: DurableObjectState, env: PlatformEnv) {
    super(ctx, env);
    applyMigrations(ctx.storage, subscriptionsMigrations);
    this.#store = new SubscriptionStore(ctx.storage);
    this.#linkStore = new LinkStore(ctx.storage);
    this.#alarm = new Alarm(ctx.storage, null);
    [this.#links, this.#wakes] = this.#makeParts(this.#alarm);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarm = new Alarm(ctx.storage, await ctx.storage.getAlarm());
      [this.#links, this.#wakes] = this.#makeParts(this.#alarm);
    });
  }

  async put(id: string, wish: SubscriptionWish): Promise<PutAnswer> {
    const found = this.#store.find(id);
    if (found !== null) {
      if (found.configHash !== wish.configHash) return { ok: false, code: "conflict" };
      this.#confirm(found, wish.origin);
      return { ok: true, created: false, view: this.#viewOf(found) };
    }
    const max = readQuotas(this.env).LIMIT_SUBSCRIPTIONS_PER_ORG;
    if (this.#store.count() >= max) return { ok: false, code: "too_many" };
    const state = makeSubscription(id, wish, Date.now());
    this.#store.transaction(() => {
      this.#store.save(state);
      this.#links.begin(state, wish.streams);
    });
    await this.#settleLinks();
    this.#runWakes();
    return { ok: true, created: true, view: this.#viewOf(state) };
  }

  async view(id: string): Promise<SubscriptionView | null> {
    const state = this.#store.find(id);
    return state && this.#viewOf(state);
  }

  async remove(id: string): Promise<void> {
    this.#store.transaction(() => this.#store.remove(id));
  }

  async addStreams(id: string, names: readonly string[]) {
    const state = this.#store.find(id);
    if (state === null) return { ok: false, code: "not_found" } as const;
    const { target } = state;
    if (target.type === "pull-wake" && names.includes(target.wakeStream)) {
      return { ok: false, code: "wake_stream" } as const;
    }
    const added = names.filter((name) => this.#store.stream(id, name)?.isExplicit !== true);
    const count = this.#linkStore.explicitCount(id) + added.length;
    if (count > limits.subscriptionStreams) return { ok: false, code: "too_many" } as const;
    this.#store.transaction(() => this.#links.follow(state, added));
    await this.#settleLinks();
    this.#runWakes();
    return { ok: true } as const;
  }

  async removeStream(id: string, name: string): Promise<boolean> {
    if (this.#store.find(id) === null) return false;
    this.#linkStore.removeExplicit(id, name);
    this.#wakes.advance(id);
    return true;
  }

  async claim(id: string, worker: string): Promise<ClaimAnswer> {
    const state = this.#wakes.advance(id);
    if (state === null) return { ok: false, code: "not_found" };
    const { stage, generation, leaseTtlMs, orgId } = state;
    if (state.target.type !== "pull-wake") return { ok: false, code: "wrong_type" };
    if (stage.kind === "idle") return { ok: false, code: "no_pending_work" };
    if (stage.kind === "held") {
      return { ok: false, code: "already_claimed", holder: stage.holder ?? "", generation };
    }
    const { wakeId } = stage;
    this.#wakes.save(state, hold(state, wakeId, worker, Date.now()));
    const streams = this.#store.streams(id);
    const token = await this.#sign({ org: orgId, sub: state.uid, generation });
    return { ok: true, wakeId, generation, token, leaseTtlMs, streams };
  }

  async ack(id: string, request: AckRequest): Promise<AckAnswer> {
    const claims = await readWakeToken(request.token, this.env.RUN_TOKEN_SECRET);
    const caller = { proof: request, claims, type: request.type };
    const early = this.#admit(id, caller);
    if (!early.ok) return early;
    // What was read just now may be ahead of what the stream has told.
    for (const { name, seq } of request.acks) {
      const tail = this.#store.stream(id, name)?.tail;
      if (tail !== undefined && seq > tail) await this.#links.refresh(early.state.orgId, name);
    }
    const answer = this.#store.transaction((): AckAnswer => {
      const admitted = this.#admit(id, caller);
      if (!admitted.ok) return admitted;
      if (!this.#acknowledge(id, request.acks)) return { ok: false, code: "invalid_offset" };
      return this.#acked(admitted.state, request);
    });
    this.#runWakes();
    return answer;
  }

  async release(id: string, proof: WakeProof): Promise<ReleaseAnswer> {
    const claims = await readWakeToken(proof.token, this.env.RUN_TOKEN_SECRET);
    const admitted = this.#admit(id, { proof, claims, type: "pull-wake" });
    if (!admitted.ok) return admitted;
    this.#wakes.save(admitted.state, { ...admitted.state, stage: { kind: "idle" } });
    this.#wakes.advance(id);
    this.#runWakes();
    return { ok: true };
  }

  async signingKey(): Promise<SigningKey | null> {
    return this.#store.signingKey();
  }

  async keepSigningKey(key: SigningKey): Promise<SigningKey> {
    const kept = this.#store.signingKey();
    if (kept !== null) return kept;
    this.#store.saveSigningKey(key);
    return key;
  }

  async takeWake(id: string, generation: number): Promise<TakenWake | null> {
    const state = this.#wakes.advance(id);
    if (state?.target.type !== "webhook") return null;
    const taken = decideTake(state, generation, Date.now());
    const wakeId = taken && wakeIdOf(taken);
    if (taken === null || wakeId === null) return null;
    this.#wakes.save(state, taken);
    const streams = this.#store.snapshot(id);
    const key = this.#store.signingKey();
    const token = await this.#sign({ org: state.orgId, sub: state.uid, generation });
    const { origin, target } = state;
    return { id, origin, url: target.url, wakeId, generation, token, streams, key };
  }

  async wakeTold(id: string, wakeId: string, outcome: TellOutcome): Promise<void> {
    this.#store.transaction(() => {
      const state = this.#store.find(id);
      if (state === null || wakeIdOf(state) !== wakeId) return;
      if (outcome === "done") this.#store.acknowledgeSnapshot(id);
      this.#wakes.save(state, decideTold(state, outcome, this.#wakes.facts(id)));
    });
    this.#runWakes();
  }

  async streamTold(stream: StreamEnd): Promise<Interest> {
    const interest = this.#store.transaction(() => {
      const told = this.#links.told(stream);
      this.#advanceFollowers(stream.name);
      return told;
    });
    this.#runWakes();
    return interest;
  }

  async streamRemoved(name: string, streamId: string): Promise<void> {
    this.#store.transaction(() => {
      const followers = this.#linkStore.followers(name);
      this.#links.removed(name, streamId);
      for (const id of followers) this.#wakes.advance(id);
    });
  }

  /** Never throws. */
  override async alarm(): Promise<void> {
    this.#alarm.set(null);
    try {
      await this.#settleLinks();
      await this.#wakes.run();
    } catch {
      this.#alarm.by(Date.now() + retryMs);
    }
  }

  #makeParts(alarm: Alarm): [Links, Wakes] {
    const parts = { env: this.env, store: this.#store, links: this.#linkStore, alarm };
    return [new Links(parts), new Wakes(parts)];
  }

  #admit(
    id: string,
    caller: Parameters<typeof findRefusal>[1],
  ): { readonly ok: true; readonly state: SubscriptionState } | WakeRefusal {
    const state = this.#wakes.advance(id);
    if (state === null) return { ok: false, code: "not_found" };
    const code = findRefusal(state, caller);
    return code === null ? { ok: true, state } : { ok: false, code };
  }

  /** All or nothing. */
  #acknowledge(id: string, acks: AckRequest["acks"]): boolean {
    const fits = acks.every(({ name, seq }) => {
      const stream = this.#store.stream(id, name);
      return stream !== null && seq >= stream.acked && seq <= stream.tail;
    });
    if (fits) for (const { name, seq } of acks) this.#store.acknowledge(id, name, seq);
    return fits;
  }

  #acked(state: SubscriptionState, { wakeId, done }: AckRequest): AckAnswer {
    const { stage } = state;
    if (!done) {
      const holder = stage.kind === "held" ? stage.holder : null;
      const held = hold({ ...state, failures: 0 }, wakeId, holder, Date.now());
      this.#wakes.save(state, held);
      return { ok: true, nextWake: false };
    }
    this.#wakes.save(state, settled(state));
    const next = this.#wakes.advance(state.id);
    return { ok: true, nextWake: next !== null && next.stage.kind !== "idle" };
  }

  /** Its user says once more that they want it: what waits for its next try is tried now. */
  #confirm(state: SubscriptionState, origin: string): void {
    const { stage } = state;
    const isWaiting = stage.kind === "owed" && stage.asked === 0;
    this.#wakes.save(state, {
      ...state,
      origin,
      stage: isWaiting ? { ...stage, at: Date.now() } : stage,
    });
    this.#runWakes();
  }

  async #settleLinks(): Promise<void> {
    for (const name of await this.#links.settle()) this.#advanceFollowers(name);
  }

  #advanceFollowers(name: string): void {
    for (const id of this.#linkStore.followers(name)) this.#wakes.advance(id);
  }

  /** Nobody who tells of something waits for what follows from it: the row is there, and the alarm is set. */
  #runWakes(): void {
    void this.#wakes.run().catch(() => this.#alarm.by(Date.now() + retryMs));
  }

  #sign(claims: { org: string; sub: string; generation: number }): Promise<string> {
    return signWakeToken(claims, this.env.RUN_TOKEN_SECRET, Date.now());
  }

  #viewOf(state: SubscriptionState): SubscriptionView {
    const streams = this.#store.streams(state.id);
    return { ...state, isFailing: state.failures > 0, streams };
  }
}

function makeSubscription(id: string, wish: SubscriptionWish, now: number): SubscriptionState {
  const { orgId, origin, target, pattern, leaseTtlMs, description, configHash } = wish;
  const asked = { orgId, origin, target, pattern, leaseTtlMs, description, configHash };
  const begin = { createdAt: now, generation: 0, failures: 0, stage: { kind: "idle" } } as const;
  return { ...asked, ...begin, id, uid: crypto.randomUUID() };
}
