import { decodeBase64, encodeBase64 } from "hono/utils/encode";

const encoder = new TextEncoder();
const ivBytes = 12;
/** The form of what is stored, so that another can follow it. */
const version = "1";

/**
 * AES-256-GCM under a key derived from `key` (HKDF-SHA-256). `place` says where the text belongs: what was sealed for one
 * place does not open at another.
 */
export async function seal(text: string, place: string, key: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const sealed = await crypto.subtle.encrypt(
    algorithm(iv, place),
    await deriveKey(key),
    encoder.encode(text),
  );
  return [version, encodeBase64(iv.buffer), encodeBase64(sealed)].join(".");
}

/** Throws when it was sealed under another key, for another place, or was changed since. */
export async function unseal(sealed: string, place: string, key: string): Promise<string> {
  const [, iv = "", body = ""] = sealed.split(".");
  const opened = await crypto.subtle.decrypt(
    algorithm(decodeBase64(iv), place),
    await deriveKey(key),
    decodeBase64(body),
  );
  return new TextDecoder().decode(opened);
}

function algorithm(iv: Uint8Array<ArrayBuffer>, place: string) {
  return { name: "AES-GCM", iv, additionalData: encoder.encode(place) };
}

async function deriveKey(key: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(key), "HKDF", false, [
    "deriveKey",
  ]);
  return crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(),
      info: encoder.encode("millrace sealing 1"),
    },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}
