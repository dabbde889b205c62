import { z } from "zod";
import * as v1 from "../dialects/v1.ts";
import { LimitName, limits } from "../limits.ts";

/** A JSON body and what it means. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** Every route may answer these. */
export const problems = {
  400: json(
    v1.Problem,
    "The request is malformed: `invalid_json`, `invalid_argument` (names the field) or `workspace_unavailable`.",
  ),
  401: json(v1.Problem, "`unauthenticated`: no API key, or not a valid one."),
  403: json(v1.Problem, "`permission_denied`: the API key may not do this."),
  404: json(v1.Problem, "`not_found`: no such project or run."),
  409: {
    ...json(
      v1.Problem,
      "`idempotency_mismatch`: the key belongs to another request; or `unavailable`: not ready yet, see `Retry-After`.",
    ),
    headers: {
      "Retry-After": {
        description: "Seconds after which to ask again, when the code is `unavailable`.",
        schema: { type: "integer" },
      },
    },
  },
  413: json(
    v1.Problem,
    `\`payload_too_large\`: the body is over ${limits.requestBodyMaxBytes} bytes.`,
  ),
  429: {
    ...json(
      v1.Problem,
      `\`rate_limited\`: \`details.limit\` names what was met: ${LimitName.options.join(", ")}; \`details.max\` says how many there may be.`,
    ),
    headers: {
      "Retry-After": {
        description: "Seconds after which another try is worth it.",
        schema: { type: "integer" },
      },
    },
  },
  500: json(v1.Problem, "`internal`: our fault."),
} as const;

/** What a reader of events is told that are not kept any more. */
export const gone = json(
  v1.Problem,
  "`gone`: the events after this cursor are not kept any more. `details.earliest` is the first that is, `details.snapshot` the path of a snapshot.",
);

export const eventStream = {
  schema: z.string().meta({
    description:
      "Server-sent events. `id` is the event's number in the run, without gaps from 1; `event` is one of " +
      `${v1.V1FrameType.options.join(", ")}; \`data\` is a V1Frame as JSON. Where its data would be over ` +
      `${limits.inlineBodyMaxBytes} bytes, they are a preview with \`blob: {sha256, size, url}\`, or with \`cut: {size}\` ` +
      `over ${limits.blobMaxBytes} bytes. A comment every ` +
      `${limits.sseHeartbeatMs / 1000} s keeps the connection open. The stream ends after the frame that ends the run.`,
  }),
};

export const runIdHeader = {
  "x-run-id": {
    description: "Id of the run whose events these are.",
    schema: { type: "string", format: "uuid" },
  },
} as const;
