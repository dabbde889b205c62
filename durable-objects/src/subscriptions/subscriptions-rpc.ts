import type { Target } from "./state.ts";

/** What a PUT asks for. */
export interface SubscriptionWish {
  readonly orgId: string;
  readonly origin: string;
  readonly target: Target;
  readonly pattern: string | null;
  readonly streams: readonly string[];
  readonly leaseTtlMs: number;
  readonly description: string | null;
  /** Of all of the above but the origin. */
  readonly configHash: string;
}

/** A stream that a subscription follows. Positions are numbers of messages. */
export interface FollowedStream {
  readonly name: string;
  /** Named by its user; else found by the pattern. */
  readonly isExplicit: boolean;
  readonly acked: number;
  readonly tail: number;
}

export interface SubscriptionView {
  readonly id: string;
  readonly origin: string;
  readonly target: Target;
  readonly pattern: string | null;
  readonly leaseTtlMs: number;
  readonly description: string | null;
  readonly createdAt: number;
  /** The last try or lease came to nothing. */
  readonly isFailing: boolean;
  /** Those with something to read first; no more than `limits.subscriptionStreamsShown`. */
  readonly streams: readonly FollowedStream[];
}

export type PutAnswer =
  | { readonly ok: true; readonly created: boolean; readonly view: SubscriptionView }
  | { readonly ok: false; readonly code: "conflict" | "too_many" };

/** What a worker shows for its claim, or a receiver for its wake. */
export interface WakeProof {
  readonly token: string;
  readonly wakeId: string;
  readonly generation: number;
}

export interface AckRequest extends WakeProof {
  /** Where the caller must come from: a webhook's receiver, or a worker that claimed. */
  readonly type: Target["type"];
  readonly acks: readonly { readonly name: string; readonly seq: number }[];
  readonly done: boolean;
}

export type WakeRefusal = {
  readonly ok: false;
  readonly code:
    | "not_found"
    | "wrong_type"
    | "token_invalid"
    | "token_expired"
    | "fenced"
    | "invalid_offset";
};

export type AckAnswer = { readonly ok: true; readonly nextWake: boolean } | WakeRefusal;
export type ReleaseAnswer = { readonly ok: true } | WakeRefusal;

export type ClaimAnswer =
  | {
      readonly ok: true;
      readonly wakeId: string;
      readonly generation: number;
      readonly token: string;
      readonly leaseTtlMs: number;
      readonly streams: readonly FollowedStream[];
    }
  | { readonly ok: false; readonly code: "not_found" | "wrong_type" | "no_pending_work" }
  | {
      readonly ok: false;
      readonly code: "already_claimed";
      readonly holder: string;
      readonly generation: number;
    };

/** An Ed25519 pair: the public half as a JWK, the private one sealed. */
export interface SigningKey {
  readonly kid: string;
  /** The public point, base64url. */
  readonly x: string;
  readonly sealed: string;
}

/** A wake on its way to a receiver. The same in every try, but for the token. */
export interface TakenWake {
  readonly id: string;
  readonly origin: string;
  readonly url: string;
  readonly wakeId: string;
  readonly generation: number;
  readonly token: string;
  readonly streams: readonly FollowedStream[];
  readonly key: SigningKey | null;
}

/** `accepted`: the receiver will say later how far it came. */
export type TellOutcome = "done" | "accepted" | "failed";

/** Whether anybody follows a stream. Of two answers the one with the higher mark is true. */
export interface Interest {
  readonly isFollowed: boolean;
  readonly mark: number;
}

/** The subscriptions of one org, and the streams that they choose from. */
export interface SubscriptionsRpc {
  put(id: string, wish: SubscriptionWish): Promise<PutAnswer>;
  view(id: string): Promise<SubscriptionView | null>;
  remove(id: string): Promise<void>;
  addStreams(
    id: string,
    names: readonly string[],
  ): Promise<
    | { readonly ok: true }
    | { readonly ok: false; readonly code: "not_found" | "too_many" | "wake_stream" }
  >;
  /** False: no such subscription. */
  removeStream(id: string, name: string): Promise<boolean>;
  claim(id: string, worker: string): Promise<ClaimAnswer>;
  ack(id: string, request: AckRequest): Promise<AckAnswer>;
  release(id: string, proof: WakeProof): Promise<ReleaseAnswer>;
  signingKey(): Promise<SigningKey | null>;
  /** Keeps a first key; answers the one that is kept. */
  keepSigningKey(key: SigningKey): Promise<SigningKey>;
  /** Takes a wake for a receiver; null when it is not to be told, or is being told. */
  takeWake(id: string, generation: number): Promise<TakenWake | null>;
  wakeTold(id: string, wakeId: string, outcome: TellOutcome): Promise<void>;
  /** Told by a stream when it is created, and with every new end while it is followed. Safe to repeat. */
  streamTold(stream: StreamEnd): Promise<Interest>;
  /** Told by a stream that goes. Safe to repeat. */
  streamRemoved(name: string, streamId: string): Promise<void>;
}

export interface StreamEnd {
  readonly name: string;
  readonly streamId: string;
  readonly tail: number;
}
