import { mediaTypeOf, type StreamState } from "./state.ts";
import type { StreamConfig } from "./stream-rpc.ts";

const defaultContentType = "application/octet-stream";

/** Is the stream that is there the one that is asked for? What a fork left out, it has from its source. */
export function isSameStream(state: StreamState, config: StreamConfig): boolean {
  return (
    isSameType(state, config) &&
    isSameLifetime(state, config) &&
    state.closed === config.closed &&
    isSameFork(state, config)
  );
}

function isSameType(state: StreamState, { contentType, fork }: StreamConfig): boolean {
  if (contentType === null && fork !== null) return true;
  return mediaTypeOf(state.contentType) === mediaTypeOf(contentType ?? defaultContentType);
}

function isSameLifetime(state: StreamState, config: StreamConfig): boolean {
  const { ttlSeconds, expiresAt, fork } = config;
  if (ttlSeconds === null && expiresAt === null && fork !== null) return true;
  return state.ttlSeconds === ttlSeconds && state.expiresAt === expiresAt;
}

function isSameFork({ fork: own }: StreamState, { fork: asked }: StreamConfig): boolean {
  if (own === null || asked === null) return own === asked;
  if (own.source !== asked.source) return false;
  // Without an offset: wherever it left its source then.
  return asked.seq === null || (own.seq === asked.seq && own.sub === asked.sub);
}

/** A new stream; `source` is what a fork inherits from. */
export function makeStream(
  config: StreamConfig,
  facts: {
    readonly id: string;
    readonly now: number;
    readonly source: Pick<StreamState, "contentType" | "ttlSeconds" | "expiresAt"> | null;
    readonly forkedAt: number;
  },
): StreamState {
  const { source, now, id } = facts;
  const hasLifetime = config.ttlSeconds !== null || config.expiresAt !== null;
  const lifetime = hasLifetime || source === null ? config : source;
  const { fork } = config;
  return {
    id,
    contentType: config.contentType ?? source?.contentType ?? defaultContentType,
    ttlSeconds: lifetime.ttlSeconds,
    expiresAt: lifetime.expiresAt,
    touchedAt: now,
    closed: config.closed,
    closedBy: null,
    streamSeq: null,
    fork: fork && { source: fork.source, seq: facts.forkedAt, sub: fork.sub },
    gone: false,
  };
}
