// The runtime has these methods of ES2026; its types do not yet.
interface Base64Bytes {
  toBase64(): string;
}
interface Base64Parser {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}

export function toBase64(bytes: Uint8Array): string {
  return (bytes as unknown as Base64Bytes).toBase64();
}

/** Throws on what is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return (Uint8Array as unknown as Base64Parser).fromBase64(text);
}
