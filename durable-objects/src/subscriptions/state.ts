import { z } from "zod";

/** Who is told: a URL of the user's, or whoever reads the wake stream. */
export const Target = z.discriminatedUnion("type", [
  z.object({ type: z.literal("webhook"), url: z.string() }),
  z.object({ type: z.literal("pull-wake"), wakeStream: z.string() }),
]);
export type Target = Readonly<z.infer<typeof Target>>;

/**
 * What a subscription's wake is at.
 *
 *     idle ──▶ owed ──▶ telling ──▶ told (pull-wake) ──▶ held ──▶ idle
 *               ▲          │                              ▲ │
 *               ├──────────┘ nobody was reached           │ │
 *               │                      (webhook) ─────────┘ │
 *               └────────── a new wake: the lease is over ──┘
 */
export const Stage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("idle") }),
  z.object({
    kind: z.literal("owed"),
    wakeId: z.string(),
    /** Unix ms of the next step towards telling it. */
    at: z.int(),
    /** How often somebody was asked to tell it; 0: it is not to be told yet. */
    asked: z.int(),
  }),
  z.object({ kind: z.literal("telling"), wakeId: z.string(), until: z.int() }),
  z.object({ kind: z.literal("told"), wakeId: z.string() }),
  z.object({
    kind: z.literal("held"),
    wakeId: z.string(),
    /** Null: the receiver of a webhook. */
    holder: z.string().nullable(),
    until: z.int(),
  }),
]);
export type Stage = Readonly<z.infer<typeof Stage>>;

export const SubscriptionState = z.object({
  orgId: z.string(),
  id: z.string(),
  /** Another for every subscription that has ever had this id: tokens of an earlier one open nothing. */
  uid: z.string(),
  target: Target,
  pattern: z.string().nullable(),
  leaseTtlMs: z.int(),
  description: z.string().nullable(),
  /** Of everything that its creator asked for. */
  configHash: z.string(),
  /** Scheme and host under which its creator reaches the platform. */
  origin: z.string(),
  createdAt: z.int(),
  /** Of the current wake, or the last one. Fences every earlier one. */
  generation: z.int(),
  /** Wakes and tries that came to nothing, one after another. */
  failures: z.int(),
  stage: Stage,
});
export type SubscriptionState = Readonly<z.infer<typeof SubscriptionState>>;
