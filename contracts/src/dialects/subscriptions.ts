import { z } from "zod";
import { limits } from "../limits.ts";

/**
 * Subscriptions of the Durable Streams protocol (github.com/durable-streams/durable-streams, PROTOCOL.md, under `__ds/`), as they
 * travel. Offsets are those of the streams, times are ISO 8601 but for `ts`, which is Unix ms.
 */

const trimmed = (text: string): string => text.replace(/^\/+|\/+$/g, "");

const Path = z
  .string()
  .max(limits.streamNameMaxChars)
  .overwrite(trimmed)
  .refine((name) => name !== "", "must name a stream")
  .refine((name) => name !== "__ds" && !name.startsWith("__ds/"), "__ds/ holds no streams");

export const StreamPaths = z.array(Path).max(limits.subscriptionStreams);

const SubscriptionUrl = z.string().min(1).max(limits.webhookUrlMaxChars);

const wish = {
  pattern: Path.optional().describe(
    "Segments of a name; `*` is any one segment, `**` any number of them.",
  ),
  streams: StreamPaths.default([]).describe("Names of streams. They need not exist yet."),
  lease_ttl_ms: z
    .int()
    .min(1_000)
    .max(600_000)
    .default(30_000)
    .describe("How long whoever was woken may be silent."),
  description: z.string().max(1_000).optional(),
};

/** What a PUT asks for. */
export const SubscriptionWish = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("webhook"), webhook: z.object({ url: SubscriptionUrl }), ...wish }),
    z.object({
      type: z.literal("pull-wake"),
      wake_stream: Path.describe("A JSON stream that is told of every wake."),
      ...wish,
    }),
  ])
  .refine(({ pattern, streams }) => pattern !== undefined || streams.length > 0, {
    path: ["streams"],
    message: "pattern or streams is required",
  })
  .meta({ id: "SubscriptionWish" });
export type SubscriptionWish = z.infer<typeof SubscriptionWish>;

const Offset = z.string().max(256);
const linked = {
  path: z.string(),
  link_type: z.enum(["explicit", "glob"]),
  acked_offset: Offset,
};

export const Subscription = z
  .object({
    id: z.string(),
    subscription_id: z.string(),
    type: z.enum(["webhook", "pull-wake"]),
    pattern: z.string().optional(),
    streams: z
      .array(z.object(linked))
      .describe(`At most ${limits.subscriptionStreamsShown}, those with something to read first.`),
    webhook: z
      .object({
        url: z.string(),
        signing: z.object({
          alg: z.literal("ed25519"),
          kid: z.string(),
          jwks_url: z.string(),
        }),
      })
      .optional(),
    wake_stream: z.string().optional(),
    lease_ttl_ms: z.int(),
    description: z.string().optional(),
    created_at: z.iso.datetime(),
    status: z.enum(["active", "failed"]).describe("`failed`: the last wake came to nothing."),
  })
  .meta({ id: "Subscription" });
export type Subscription = z.infer<typeof Subscription>;

export const WokenStream = z
  .object({ ...linked, tail_offset: Offset, has_pending: z.boolean() })
  .meta({ id: "WokenStream" });
export type WokenStream = z.infer<typeof WokenStream>;

const woken = {
  wake_id: z.string(),
  generation: z.int(),
  streams: z.array(WokenStream),
};

/** What is posted to a webhook. */
export const Wake = z
  .object({
    subscription_id: z.string(),
    ...woken,
    callback_url: z.string(),
    callback_token: z.string(),
  })
  .meta({ id: "Wake" });
export type Wake = z.infer<typeof Wake>;

/** What a receiver may answer: everything in the wake is read. */
export const WakeAnswer = z.object({ done: z.boolean().optional() });

/** What a wake stream is told. */
export const WakeEvent = z
  .object({
    type: z.literal("wake"),
    subscription_id: z.string(),
    stream: z.string(),
    generation: z.int(),
    ts: z.int(),
  })
  .meta({ id: "WakeEvent" });
export type WakeEvent = z.infer<typeof WakeEvent>;

export const MoreStreams = z.object({ streams: StreamPaths.min(1) });
export const ClaimWish = z.object({ worker: z.string().min(1).max(200) });

export const Claim = z
  .object({ ...woken, token: z.string(), lease_ttl_ms: z.int() })
  .meta({ id: "SubscriptionClaim" });
export type Claim = z.infer<typeof Claim>;

const proof = { wake_id: z.string().max(200), generation: z.int() };
export const ReleaseWish = z.object(proof);

export const AckWish = z
  .object({
    ...proof,
    acks: z
      .array(
        z.object({ stream: Path.optional(), path: Path.optional(), offset: Offset }).meta({
          description: "`path` is another word for `stream`.",
        }),
      )
      .max(limits.subscriptionStreams)
      .default([]),
    done: z.boolean().default(false).describe("The wake is over. Else the lease is extended."),
  })
  .meta({ id: "SubscriptionAck" });
export type AckWish = z.infer<typeof AckWish>;

export const Acked = z.object({
  ok: z.literal(true),
  next_wake: z.boolean().describe("There is more to read: another wake is on its way."),
});
export type Acked = z.infer<typeof Acked>;

/** Every reason for which a request about a subscription can be refused; the words are the protocol's. */
export const SubscriptionErrorCode = z.enum([
  "INVALID_REQUEST",
  "SUBSCRIPTION_NOT_FOUND",
  "SUBSCRIPTION_ALREADY_EXISTS",
  "WEBHOOK_URL_REJECTED",
  "TOKEN_INVALID",
  "TOKEN_EXPIRED",
  "FENCED",
  "ALREADY_CLAIMED",
  "NO_PENDING_WORK",
  "INVALID_OFFSET",
]);
export type SubscriptionErrorCode = z.infer<typeof SubscriptionErrorCode>;

export const statusOfSubscriptionError = {
  INVALID_REQUEST: 400,
  SUBSCRIPTION_NOT_FOUND: 404,
  SUBSCRIPTION_ALREADY_EXISTS: 409,
  WEBHOOK_URL_REJECTED: 400,
  TOKEN_INVALID: 401,
  TOKEN_EXPIRED: 401,
  FENCED: 409,
  ALREADY_CLAIMED: 409,
  NO_PENDING_WORK: 409,
  INVALID_OFFSET: 409,
} as const satisfies Record<SubscriptionErrorCode, number>;

export const SubscriptionProblem = z
  .object({
    error: z.object({
      code: SubscriptionErrorCode,
      message: z.string(),
      current_holder: z.string().optional().describe("Who has claimed it."),
      generation: z.int().optional(),
    }),
  })
  .meta({ id: "SubscriptionProblem" });
export type SubscriptionProblem = z.infer<typeof SubscriptionProblem>;

export const Jwks = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        x: z.string(),
        kid: z.string(),
        use: z.literal("sig"),
        alg: z.literal("EdDSA"),
      }),
    ),
  })
  .meta({ id: "Jwks" });
export type Jwks = z.infer<typeof Jwks>;
