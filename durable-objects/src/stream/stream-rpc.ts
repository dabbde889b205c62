import type { ProducerTry } from "./state.ts";

/** What a PUT asks for. Null: not said. */
export interface StreamConfig {
  readonly contentType: string | null;
  readonly ttlSeconds: number | null;
  /** Unix ms. */
  readonly expiresAt: number | null;
  readonly closed: boolean;
  /** `seq` null: at the source's end. */
  readonly fork: {
    readonly source: string;
    readonly seq: number | null;
    readonly sub: number;
  } | null;
}

/** Names of a stream: which tenant's, and which. An object checks that it is meant. */
export interface StreamAddress {
  readonly orgId: string;
  readonly name: string;
}

export interface AppendRequest {
  /** Messages as log lines (message-lines.ts). Empty: only a close. */
  readonly lines: readonly string[];
  readonly contentType: string;
  readonly close: boolean;
  readonly producer: ProducerTry | null;
  readonly streamSeq: string | null;
}

/** What every answer can tell of a stream. */
export interface StreamFacts {
  readonly id: string;
  readonly contentType: string;
  readonly ttlSeconds: number | null;
  readonly expiresAt: number | null;
  readonly closed: boolean;
  /** Number of the last message; 0 for none. */
  readonly tail: number;
}

/** `gone`: deleted, and kept for its forks. */
export type StreamMissing = { readonly ok: false; readonly code: "not_found" | "gone" };

export type CreateAnswer =
  | { readonly ok: true; readonly created: boolean; readonly facts: StreamFacts }
  | {
      readonly ok: false;
      readonly code:
        | "conflict"
        | "source_not_found"
        | "source_gone"
        | "source_type"
        | "fork_beyond_end"
        | "full";
    };

export type AppendRefusal =
  | { readonly code: "closed"; readonly facts: StreamFacts }
  | { readonly code: "content_type" | "stream_seq" | "bad_start" | "full" }
  | { readonly code: "stale"; readonly epoch: number }
  | { readonly code: "gap"; readonly expected: number };

export type AppendAnswer =
  | {
      readonly ok: true;
      readonly facts: StreamFacts;
      /** False: it was done before. */
      readonly written: boolean;
      /** The producer's highest seq. */
      readonly producerSeq: number | null;
    }
  | StreamMissing
  | ({ readonly ok: false } & AppendRefusal);

export type ReadAnswer =
  | {
      readonly ok: true;
      readonly facts: StreamFacts;
      /** Whole packed rows; the first may begin before what was asked for. */
      readonly rows: string;
      /** Number of the last message in `rows`. */
      readonly last: number;
    }
  | StreamMissing;

export type ForkAnswer =
  | {
      readonly ok: true;
      readonly seq: number;
      readonly source: Pick<StreamFacts, "contentType" | "ttlSeconds" | "expiresAt">;
    }
  | { readonly ok: false; readonly code: "not_found" | "gone" | "beyond_end" | "type" };

export type FollowAnswer =
  | { readonly ok: true; readonly streamId: string; readonly tail: number }
  | StreamMissing;

/** One stream of the Durable Streams protocol. Also answers `fetch` with a reader's socket at `streamSocketPath`. */
export interface StreamRpc {
  create(
    address: StreamAddress,
    config: StreamConfig,
    lines: readonly string[],
  ): Promise<CreateAnswer>;
  append(request: AppendRequest): Promise<AppendAnswer>;
  /** Facts alone; does not count as a use. */
  facts(): Promise<{ readonly ok: true; readonly facts: StreamFacts } | StreamMissing>;
  /** Rows after a message, up to about `chars`; counts as a use. */
  read(after: number, chars: number): Promise<ReadAnswer>;
  remove(): Promise<{ readonly ok: true } | StreamMissing>;
  /** Asked by the org's subscriptions: from its current end on they want to be told of every new one. */
  follow(mark: number): Promise<FollowAnswer>;
  /** Asked by a stream that is about to become a fork of this one. */
  admitFork(name: string, contentType: string | null, at: number | null): Promise<ForkAnswer>;
  /** Told by a fork that goes. The last one takes a deleted source with it. */
  releaseFork(name: string): Promise<void>;
}

/** A reader's socket: `?after=`, marks included. */
export const streamSocketPath = "/read";
