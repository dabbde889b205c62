import { decodeBase64, encodeBase64 } from "hono/utils/encode";

const prefix = "whsec_";
const secretBytes = 32;

/** A new signing secret as Standard Webhooks writes it: `whsec_` and the key in base64. */
export function makeSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(secretBytes));
  return `${prefix}${encodeBase64(bytes.buffer)}`;
}

export interface SignedMessage {
  /** The same in every try, so that a receiver can tell a repeat. */
  readonly id: string;
  /** Of this try, in Unix seconds: receivers refuse what is old. */
  readonly timestamp: number;
  readonly body: string;
}

/**
 * The headers of Standard Webhooks 1.0: `webhook-signature` holds a `v1,<base64>` for each secret, separated by blanks, of
 * HMAC-SHA-256 over `id.timestamp.body`.
 */
export async function signedHeaders(
  message: SignedMessage,
  secrets: readonly string[],
): Promise<Record<string, string>> {
  const { id, timestamp, body } = message;
  const text = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signatures = await Promise.all(secrets.map((secret) => sign(text, secret)));
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
  };
}

async function sign(text: BufferSource, secret: string): Promise<string> {
  const bytes = decodeBase64(secret.slice(prefix.length));
  const key = await crypto.subtle.importKey(
    "raw",
    bytes,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  return `v1,${encodeBase64(await crypto.subtle.sign("HMAC", key, text))}`;
}
