import type { Contender } from "../contender.ts";

/** A server of the Durable Streams protocol. */
export interface StreamService extends Contender {
  /** A name that no other measurement uses. */
  nextUrl(): URL;
  readonly headers: Readonly<Record<string, string>>;
}
