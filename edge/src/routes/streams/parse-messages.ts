import { limits } from "@millrace/contracts";
import { bytesLines, isJson, jsonLine } from "@millrace/durable-objects";

export type ParsedMessages =
  | { readonly ok: true; readonly lines: readonly string[] }
  | { readonly ok: false; readonly code: "invalid_json" | "empty_array" | "too_large" };

/**
 * A request's body as messages. For JSON, exactly one level of array is a batch; an empty one is allowed only
 * where a stream is created.
 */
export function parseMessages(body: Uint8Array, contentType: string): ParsedMessages {
  if (body.byteLength === 0) return { ok: true, lines: [] };
  if (!isJson(contentType)) return { ok: true, lines: bytesLines(body) };
  const value = parseJson(body);
  if (value === undefined) return { ok: false, code: "invalid_json" };
  const messages: unknown[] = Array.isArray(value) ? value : [value];
  if (messages.length === 0) return { ok: false, code: "empty_array" };
  const lines = messages.map((message) => jsonLine(JSON.stringify(message)));
  const isTooLarge = lines.some(({ length }) => length > limits.streamMessageMaxChars);
  return isTooLarge ? { ok: false, code: "too_large" } : { ok: true, lines };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Undefined for what is no JSON in UTF-8. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined;
  }
}
