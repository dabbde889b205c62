import { z } from "zod";

/** What the org's subscriptions know of a stream. It outlives the stream until they know that it is gone. */
export const Standing = z.object({
  orgId: z.string(),
  name: z.string(),
  streamId: z.string(),
  /** Number of the last message they were told of; -1: they do not know the stream. */
  told: z.int(),
  /** Somebody follows it: they want to be told of every new end. */
  isFollowed: z.boolean(),
  /** Of the interest above; a lower one came too late. */
  mark: z.int(),
  isRemoved: z.boolean(),
});
export type Standing = Readonly<z.infer<typeof Standing>>;

/** Do the subscriptions have to be told something? */
export function isOwed({ isRemoved, told, isFollowed }: Standing, tail: number): boolean {
  return isRemoved || told < 0 || (isFollowed && told < tail);
}
