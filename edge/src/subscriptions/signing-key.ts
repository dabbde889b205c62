import type { PlatformEnv, SigningKey } from "@millrace/durable-objects";
import { encodeBase64Url } from "hono/utils/encode";
import { subscriptionsObject } from "../objects.ts";
import { seal, unseal } from "../webhooks/sealing.ts";

/** RFC 8037 promises these of an Ed25519 key. */
type EdKey = JsonWebKey & { readonly crv: string; readonly kty: string; readonly x: string };

const algorithm = { name: "Ed25519" } as const;
const encoder = new TextEncoder();

const placeOf = (orgId: string): string => `subscriptions/${orgId}`;

/** The org's signing key, made at first use: what one org's receivers trust, no other org can sign. */
export async function signingKeyOf(env: PlatformEnv, orgId: string): Promise<SigningKey> {
  const subscriptions = subscriptionsObject(env, orgId);
  const kept = await subscriptions.signingKey();
  return kept ?? subscriptions.keepSigningKey(await makeSigningKey(orgId, env.SEALING_KEY));
}

/** A new pair. Its id is the thumbprint of the public key (RFC 7638, RFC 8037). */
async function makeSigningKey(orgId: string, sealingKey: string): Promise<SigningKey> {
  const pair = (await crypto.subtle.generateKey(algorithm, true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as EdKey;
  const { crv, kty, x } = jwk;
  const thumbprint = await crypto.subtle.digest(
    "SHA-256",
    encoder.encode(JSON.stringify({ crv, kty, x })),
  );
  const sealed = await seal(JSON.stringify(jwk), placeOf(orgId), sealingKey);
  return { kid: `ds_${base64Url(thumbprint)}`, x, sealed };
}

export interface SignedText {
  readonly orgId: string;
  readonly body: string;
  /** Unix seconds; receivers refuse what is old. */
  readonly timestamp: number;
}

/** `t=<timestamp>,kid=<key>,ed25519=<base64url>` over `<timestamp>.<body>`. */
export async function signatureOf(
  { orgId, body, timestamp }: SignedText,
  { kid, sealed }: SigningKey,
  sealingKey: string,
): Promise<string> {
  const jwk = JSON.parse(await unseal(sealed, placeOf(orgId), sealingKey)) as JsonWebKey;
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
  const text = encoder.encode(`${timestamp}.${body}`);
  const signature = await crypto.subtle.sign(algorithm, key, text);
  return `t=${timestamp},kid=${kid},ed25519=${base64Url(signature)}`;
}

function base64Url(bytes: ArrayBuffer): string {
  return encodeBase64Url(bytes).replace(/=+$/, "");
}
