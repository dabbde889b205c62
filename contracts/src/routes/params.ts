import { z } from "zod";
import { IdempotencyKey } from "../dialects/v1.ts";
import { ProjectId } from "../ids.ts";
import { limits } from "../limits.ts";

/** What routes of several nouns have in common. */

export const projectParams = z.object({
  projectId: ProjectId.meta({ description: "Id of a project." }),
});

/** A raw parameter, not a schema: the key is checked after the body. */
const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: true,
  description: IdempotencyKey.description ?? "",
  schema: { type: "string", minLength: 1, maxLength: limits.idempotencyKeyMaxChars },
} as const;
export const keyed = [idempotencyKey];

/** Raw as well: what is no trace context is ignored, as its specification asks. */
const traceparent = {
  name: "traceparent",
  in: "header",
  required: false,
  description: "W3C trace context: the spans of the run's execution become children of this one.",
  schema: { type: "string" },
} as const;
/** Of what creates a run. */
export const keyedAndTraced = [...keyed, traceparent];

export const withKey = [{ apiKey: [] }, { bearer: [] }];

export const runParams = projectParams.extend({
  runId: z
    .string()
    .toLowerCase()
    .pipe(z.uuid())
    .meta({ type: "string", format: "uuid", description: "Id of a run." }),
});
