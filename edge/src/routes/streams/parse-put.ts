import { z } from "zod";
import type { StreamConfig } from "@millrace/durable-objects";
import { parseOffset, streamHeaders as names, streamPrefix } from "./protocol.ts";

const whole = /^(0|[1-9]\d{0,15})$/;
const Whole = z.string().regex(whole, "must be a whole number without sign or leading zeros");

const Offset = z.string().transform((text, context) => {
  const seq = parseOffset(text);
  if (seq !== null && seq !== "now") return seq;
  context.addIssue("must be an offset of the source");
  return z.NEVER;
});

const PutHeaders = z
  .object({
    "content-type": z.string().max(200).optional(),
    [names.ttl]: Whole.transform(Number).optional(),
    [names.expiresAt]: z.iso
      .datetime({ offset: true })
      .transform((text) => Date.parse(text))
      .optional(),
    [names.closed]: z.string().optional(),
    [names.forkedFrom]: z
      .string()
      .startsWith(streamPrefix, `must be a path under ${streamPrefix}`)
      .transform((path) => path.slice(streamPrefix.length))
      .optional(),
    [names.forkOffset]: Offset.optional(),
    [names.forkSubOffset]: Whole.transform(Number).optional(),
  })
  .refine((given) => given[names.ttl] === undefined || given[names.expiresAt] === undefined, {
    path: [names.expiresAt],
    message: `excludes ${names.ttl}`,
  })
  .refine(
    (given) => given[names.forkSubOffset] === undefined || given[names.forkedFrom] !== undefined,
    { path: [names.forkSubOffset], message: `needs ${names.forkedFrom}` },
  )
  .refine((given) => !given[names.forkSubOffset] || given[names.forkOffset] !== undefined, {
    path: [names.forkSubOffset],
    message: `needs ${names.forkOffset}`,
  });

/** What a PUT's headers ask for. */
export const PutConfig = PutHeaders.transform((given): StreamConfig => {
  const source = given[names.forkedFrom];
  return {
    contentType: given["content-type"] ?? null,
    ttlSeconds: given[names.ttl] ?? null,
    expiresAt: given[names.expiresAt] ?? null,
    closed: given[names.closed] === "true",
    fork:
      source === undefined
        ? null
        : {
            source,
            seq: given[names.forkOffset] ?? null,
            sub: given[names.forkSubOffset] ?? 0,
          },
  };
});
