import { limits } from "@millrace/contracts";
import type { Stage, SubscriptionState } from "./state.ts";
import type { TellOutcome } from "./subscriptions-rpc.ts";

type StageOf<Kind extends Stage["kind"]> = Extract<Stage, { readonly kind: Kind }>;

export interface WakeFacts {
  readonly now: number;
  /** Some stream has more than was acknowledged. */
  readonly isPending: boolean;
  /** For a new wake, should there be one. */
  readonly wakeId: string;
  /** 0 <= jitter < 1. */
  readonly jitter: number;
}

const firstDelayMs = 1_000;
const maxDelayMs = 60_000;
const maxTries = 20;
/** A receiver that was not reached twenty times is asked this often: it costs little, and no wake is lost. */
const restMs = 60 * 60_000;
/** On the way to a worker and back a lease is not over yet. */
const leaseSlackMs = 2_000;
/** Beyond the receiver's own time: to read what is sent, and to say how it went. */
const tellingMs = limits.webhookTimeoutMs + 5_000;
const firstAskMs = 5_000;
const maxAskMs = 5 * 60_000;

/** How long after failure number `failures` (from 1) the next try comes: 1 s doubling to 60 s, a fifth more or less; hourly after twenty. */
export function retryDelay(failures: number, jitter: number): number {
  if (failures > maxTries) return restMs;
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1));
  return Math.round(delayMs * (0.8 + jitter * 0.4));
}

/** Brings a subscription to where it belongs by now. To be asked whenever something has changed, or a time has come. */
export function decideNext(state: SubscriptionState, facts: WakeFacts): SubscriptionState {
  const { stage } = state;
  switch (stage.kind) {
    case "idle":
      return facts.isPending ? wake(state, facts, facts.now) : state;
    case "owed":
    case "told":
      // The streams that it was about are gone.
      return facts.isPending ? state : { ...state, stage: { kind: "idle" } };
    case "telling":
      return stage.until > facts.now ? state : decideFailed(state, stage, facts);
    case "held":
      return stage.until > facts.now ? state : lapse(state, facts);
  }
}

/** Told in vain: the same wake again, later. */
export function decideFailed(
  state: SubscriptionState,
  { wakeId }: StageOf<"telling">,
  { now, jitter }: Pick<WakeFacts, "now" | "jitter">,
): SubscriptionState {
  const failures = state.failures + 1;
  const at = now + retryDelay(failures, jitter);
  return { ...state, failures, stage: { kind: "owed", wakeId, at, asked: 0 } };
}

/** Somebody is asked to tell the wake: until they take it, others are asked. */
export function decideAsk(
  state: SubscriptionState,
  stage: StageOf<"owed">,
  now: number,
): SubscriptionState {
  const at = now + Math.min(maxAskMs, firstAskMs * 2 ** Math.min(stage.asked, 10));
  return { ...state, stage: { ...stage, at, asked: stage.asked + 1 } };
}

/** Null: there is nothing to tell, or somebody does. */
export function decideTake(
  state: SubscriptionState,
  generation: number,
  now: number,
): SubscriptionState | null {
  const { stage } = state;
  if (stage.kind !== "owed" || stage.asked === 0 || state.generation !== generation) return null;
  const { wakeId } = stage;
  return { ...state, stage: { kind: "telling", wakeId, until: now + tellingMs } };
}

/** What the receiver made of a wake that is still the current one. `done` needs the caller to acknowledge its snapshot first. */
export function decideTold(
  state: SubscriptionState,
  outcome: TellOutcome,
  facts: WakeFacts,
): SubscriptionState {
  const { stage } = state;
  if (stage.kind === "idle") return state;
  if (outcome === "done") return decideNext(settled(state), facts);
  if (outcome === "failed")
    return stage.kind === "telling" ? decideFailed(state, stage, facts) : state;
  // Its receiver may have called back before it answered: then the lease runs already.
  return stage.kind === "held" ? state : hold(state, stage.wakeId, null, facts.now);
}

/** The wake has served. */
export function settled(state: SubscriptionState): SubscriptionState {
  return { ...state, failures: 0, stage: { kind: "idle" } };
}

/** The wake is somebody's until the lease is over. */
export function hold(
  state: SubscriptionState,
  wakeId: string,
  holder: string | null,
  now: number,
): SubscriptionState {
  const until = now + state.leaseTtlMs + leaseSlackMs;
  return { ...state, stage: { kind: "held", wakeId, holder, until } };
}

/** When the alarm has to look again; null: something else will happen first. */
export function dueAt({ stage }: SubscriptionState): number | null {
  switch (stage.kind) {
    case "idle":
    case "told":
      return null;
    case "owed":
      return stage.at;
    case "telling":
    case "held":
      return stage.until;
  }
}

export function wakeIdOf({ stage }: SubscriptionState): string | null {
  return stage.kind === "idle" ? null : stage.wakeId;
}

function wake(
  state: SubscriptionState,
  { wakeId }: Pick<WakeFacts, "wakeId">,
  at: number,
): SubscriptionState {
  const generation = state.generation + 1;
  return { ...state, generation, stage: { kind: "owed", wakeId, at, asked: 0 } };
}

/** Its holder said nothing in time: whoever comes next has another generation. */
function lapse(state: SubscriptionState, facts: WakeFacts): SubscriptionState {
  const failures = state.failures + 1;
  const lapsed: SubscriptionState = { ...state, failures, stage: { kind: "idle" } };
  if (!facts.isPending) return lapsed;
  // Another worker is there at once; a receiver that was told in vain is spared.
  const isWebhook = state.target.type === "webhook";
  return wake(lapsed, facts, facts.now + (isWebhook ? retryDelay(failures, facts.jitter) : 0));
}
