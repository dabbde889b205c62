import { fromBase64, toBase64 } from "./base64.ts";

/**
 * How a stream's messages lie in its log: lines like a run's events (contracts, log-frame.ts).
 *
 *     json TAB <value> LF        one message of a JSON stream
 *     bytes TAB "<base64>" LF    bytes of any other stream
 */
export const lineTypes = { json: "json", bytes: "bytes" } as const;

/** Longer appends are several messages: a row of SQLite may have 2 MB, and base64 takes a third more. */
const chunkBytes = 160 * 1024;

export function jsonLine(json: string): string {
  return `${lineTypes.json}\t${json}\n`;
}

export function bytesLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let from = 0; from < bytes.byteLength; from += chunkBytes) {
    const chunk = bytes.subarray(from, from + chunkBytes);
    lines.push(`${lineTypes.bytes}\t"${toBase64(chunk)}"\n`);
  }
  return lines;
}

/** The bytes of a `bytes` line's data. */
export function bytesOf(json: string): Uint8Array<ArrayBuffer> {
  return fromBase64(json.slice(1, -1));
}

/** How much room messages take, about: what is not ASCII takes more. */
export function charsOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}
