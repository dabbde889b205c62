import { z } from "zod";
import { limits } from "../limits.ts";

const atMost = (max: number) => (digits: string) => Math.min(Number(digits), max);

/** Query of every list. A limit above the maximum is the maximum; what is no positive integer is refused. */
export const PageQuery = z.object({
  limit: z
    .string()
    .regex(/^0*[1-9]\d*$/, "must be a positive integer")
    .transform(atMost(limits.pageMax))
    .default(limits.pageDefault)
    .meta({
      type: "integer",
      minimum: 1,
      default: limits.pageDefault,
      description: `Items on a page; above ${limits.pageMax} is ${limits.pageMax}.`,
    }),
  offset: z
    .string()
    .regex(/^\d+$/, "must be a non-negative integer")
    .transform(atMost(Number.MAX_SAFE_INTEGER))
    .default(0)
    .meta({ type: "integer", minimum: 0, default: 0, description: "Items to skip." }),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** The number of the last event that a client has seen. */
export const Cursor = z
  .string()
  .regex(/^\d+$/, "must be a non-negative integer")
  .transform(atMost(Number.MAX_SAFE_INTEGER));

export const cursorHeader = z.object({
  "last-event-id": Cursor.optional().meta({
    type: "integer",
    minimum: 0,
    description: "Send only events after this one. Wins over `after`.",
  }),
});
