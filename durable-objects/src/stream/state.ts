import { z } from "zod";

/** A try of an idempotent producer: the same one again changes nothing. */
export const ProducerTry = z.object({ id: z.string(), epoch: z.int(), seq: z.int() });
export type ProducerTry = Readonly<z.infer<typeof ProducerTry>>;

/** Where a fork leaves its source: after `seq` and `sub` more messages (JSON) or bytes (anything else). */
export const ForkPoint = z.object({ source: z.string(), seq: z.int(), sub: z.int() });
export type ForkPoint = Readonly<z.infer<typeof ForkPoint>>;

export const StreamState = z.object({
  /** Another for every stream that has ever had this name. */
  id: z.string(),
  contentType: z.string(),
  /** Sliding: counted from the last read or write. Excludes `expiresAt`. */
  ttlSeconds: z.int().nullable(),
  /** Unix ms. */
  expiresAt: z.int().nullable(),
  /** Unix ms of the last read or write; may lag by a tenth of the TTL. */
  touchedAt: z.int(),
  closed: z.boolean(),
  closedBy: ProducerTry.nullable(),
  /** The last `Stream-Seq`, which only ever grows, byte by byte. */
  streamSeq: z.string().nullable(),
  fork: ForkPoint.nullable(),
  /** Deleted, and kept for its forks: it answers nothing and blocks its name. */
  gone: z.boolean(),
});
export type StreamState = Readonly<z.infer<typeof StreamState>>;

/** When the stream goes by itself, in Unix ms; null for never. */
export function expiryOf({ ttlSeconds, expiresAt, touchedAt }: StreamState): number | null {
  return ttlSeconds === null ? expiresAt : touchedAt + ttlSeconds * 1_000;
}

/** JSON streams hold messages, all others bytes. */
export function isJson(contentType: string): boolean {
  return mediaTypeOf(contentType) === "application/json";
}

/** Without parameters, which do not make another type. */
export function mediaTypeOf(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}
