import type { DeliveryError } from "@millrace/contracts";
import { isPublicAddress } from "./address-range.ts";
import { checkUrl } from "./check-url.ts";
import { resolveHost } from "./resolve-host.ts";

export interface Outbound {
  /** This machine may be sent to, by http too. */
  readonly allowLoopback: boolean;
  readonly dohUrl: string;
  readonly timeoutMs: number;
}

export interface OutboundPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Posted =
  | { readonly kind: "answered"; readonly statusCode: number }
  | { readonly kind: "failed"; readonly error: DeliveryError };

const failed = (error: DeliveryError): Posted => ({ kind: "failed", error });

/**
 * The one way to a URL that a user gave. Its host is resolved now, and refused if any of its addresses is not public;
 * redirects are not followed, and what is answered beyond the status is not read. Never throws.
 */
export async function postChecked(post: OutboundPost, outbound: Outbound): Promise<Posted> {
  const checked = checkUrl(post.url, outbound.allowLoopback);
  if (!checked.ok) return failed("address_refused");
  const signal = AbortSignal.timeout(outbound.timeoutMs);
  if (checked.host !== null) {
    const refusal = await refuseHost(checked.host, outbound.dohUrl, signal);
    if (refusal !== null) return failed(refusal);
  }
  try {
    const { headers, body } = post;
    const init = { method: "POST", headers, body, redirect: "manual", signal } as const;
    const response = await fetch(checked.url, init);
    await response.body?.cancel().catch(() => undefined);
    return { kind: "answered", statusCode: response.status };
  } catch {
    return failed(signal.aborted ? "timeout" : "connection_failed");
  }
}

async function refuseHost(
  host: string,
  dohUrl: string,
  signal: AbortSignal,
): Promise<DeliveryError | null> {
  let addresses: readonly string[];
  try {
    addresses = await resolveHost(host, dohUrl, signal);
  } catch {
    return "unresolvable";
  }
  if (addresses.length === 0) return "unresolvable";
  return addresses.every(isPublicAddress) ? null : "address_refused";
}
