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
  /** What of an answer is read, at most; a longer one counts as empty. Nothing when left out. */
  readonly answerMaxBytes?: number;
}

export type Posted =
  | { readonly kind: "answered"; readonly statusCode: number; readonly answer: string }
  | { readonly kind: "failed"; readonly error: DeliveryError };

const failed = (error: DeliveryError): Posted => ({ kind: "failed", error });

/**
 * The one way to a URL that a user gave. Its host is resolved now, and refused if any of its addresses is not public;
 * redirects are not followed, and what is answered beyond the status is not read, or not beyond `answerMaxBytes`. Never throws.
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
    const answer = await readAnswer(response, post.answerMaxBytes ?? 0);
    return { kind: "answered", statusCode: response.status, answer };
  } catch {
    return failed(signal.aborted ? "timeout" : "connection_failed");
  }
}

async function readAnswer({ body }: Response, maxBytes: number): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < maxBytes) {
    const { done, value } = await reader.read();
    if (done) return new TextDecoder().decode(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    size += value.byteLength;
  }
  await reader.cancel().catch(() => undefined);
  return "";
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
