import { z } from "zod";
import type { ProducerTry } from "@millrace/durable-objects";
import { streamHeaders as names } from "./protocol.ts";

const Count = z
  .string()
  .regex(/^\d{1,16}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.int());

const producerNames = [names.producerId, names.producerEpoch, names.producerSeq] as const;

const Headers = z
  .object({
    "content-type": z.string().max(200).optional(),
    [names.closed]: z.string().optional(),
    [names.seq]: z.string().max(256).optional(),
    [names.producerId]: z.string().min(1, "must not be empty").max(256).optional(),
    [names.producerEpoch]: Count.optional(),
    [names.producerSeq]: Count.optional(),
  })
  .refine((given) => new Set(producerNames.map((name) => given[name] === undefined)).size === 1, {
    path: [names.producerId],
    message: `comes with ${names.producerEpoch} and ${names.producerSeq}, or none of them`,
  });

/** What a POST's headers say. */
export const PostHeaders = Headers.transform((given) => {
  const id = given[names.producerId];
  const epoch = given[names.producerEpoch];
  const seq = given[names.producerSeq];
  const isProducer = id !== undefined && epoch !== undefined && seq !== undefined;
  const producer: ProducerTry | null = isProducer ? { id, epoch, seq } : null;
  return {
    contentType: given["content-type"] ?? null,
    close: given[names.closed] === "true",
    streamSeq: given[names.seq] ?? null,
    producer,
  };
});
