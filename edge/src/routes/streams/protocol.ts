/**
 * Words and numbers of the Durable Streams protocol (github.com/durable-streams/durable-streams, PROTOCOL.md, draft 1.0).
 */
export const streamHeaders = {
  nextOffset: "stream-next-offset",
  upToDate: "stream-up-to-date",
  closed: "stream-closed",
  cursor: "stream-cursor",
  seq: "stream-seq",
  ttl: "stream-ttl",
  expiresAt: "stream-expires-at",
  forkedFrom: "stream-forked-from",
  forkOffset: "stream-fork-offset",
  forkSubOffset: "stream-fork-sub-offset",
  sseEncoding: "stream-sse-data-encoding",
  producerId: "producer-id",
  producerEpoch: "producer-epoch",
  producerSeq: "producer-seq",
  expectedSeq: "producer-expected-seq",
  receivedSeq: "producer-received-seq",
} as const;

/** Where general streams live; a stream's name is the rest of the path. */
export const streamPrefix = "/v1/stream/";

/** Where subscriptions live; the protocol keeps names under `__ds/` for itself. */
export const subscriptionPrefix = "/v1/stream/__ds/subscriptions/";
export const jwksPath = "/v1/stream/__ds/jwks.json";

const offsetForm = /^0{16}_(\d{16})$/;

/** The offset after message number `seq`: opaque to clients, and in byte order. */
export function offsetAfter(seq: number): string {
  return `${"0".repeat(16)}_${String(seq).padStart(16, "0")}`;
}

/** The number of the message before an offset; `now` for the tail; null for what is no offset of ours. */
export function parseOffset(text: string): number | "now" | null {
  if (text === "-1") return 0;
  if (text === "now") return "now";
  const seq = offsetForm.exec(text)?.[1];
  return seq === undefined || !Number.isSafeInteger(Number(seq)) ? null : Number(seq);
}

const cursorEpoch = Date.UTC(2024, 9, 9);
const cursorMs = 20_000;
const maxJitter = 180;

/**
 * A cursor makes each round of long-polls another URL for caches, the same for all clients of one interval. It never
 * repeats what a client sent.
 */
export function cursorAfter(client: string | undefined, now: number): string {
  const current = Math.floor((now - cursorEpoch) / cursorMs);
  const sent = client !== undefined && /^\d{1,15}$/.test(client) ? Number(client) : -1;
  if (sent < current) return String(current);
  return String(sent + 1 + Math.floor(Math.random() * maxJitter));
}
