import type { subscriptions } from "@millrace/contracts";
import type { FollowedStream, SigningKey, SubscriptionView } from "@millrace/durable-objects";
import { offsetAfter, subscriptionPrefix, jwksPath } from "../routes/streams/protocol.ts";

interface Place {
  readonly origin: string;
  readonly id: string;
}

/** Where its creator, and whoever is woken, reach a subscription. */
export function subscriptionUrl({ origin, id }: Place): string {
  return `${origin}${subscriptionPrefix}${encodeURIComponent(id)}`;
}

export function wokenStreams(streams: readonly FollowedStream[]): subscriptions.WokenStream[] {
  return streams.map((stream) => ({
    ...linkOf(stream),
    tail_offset: offsetAfter(stream.tail),
    has_pending: stream.tail > stream.acked,
  }));
}

/** A subscription as the protocol shows it. `key` signs its wakes; null: it has none. */
export function wireSubscription(
  view: SubscriptionView,
  key: SigningKey | null,
): subscriptions.Subscription {
  const { id, origin, target, pattern, description } = view;
  const jwksUrl = `${origin}${jwksPath}`;
  const signing = { alg: "ed25519", kid: key?.kid ?? "", jwks_url: jwksUrl } as const;
  return {
    id,
    subscription_id: id,
    type: target.type,
    ...(pattern !== null && { pattern }),
    streams: view.streams.map(linkOf),
    ...(target.type === "webhook"
      ? { webhook: { url: target.url, signing } }
      : { wake_stream: target.wakeStream }),
    lease_ttl_ms: view.leaseTtlMs,
    ...(description !== null && { description }),
    created_at: new Date(view.createdAt).toISOString(),
    status: view.isFailing ? "failed" : "active",
  };
}

function linkOf({ name, isExplicit, acked }: FollowedStream) {
  return {
    path: name,
    link_type: isExplicit ? "explicit" : "glob",
    acked_offset: offsetAfter(acked),
  } as const;
}
