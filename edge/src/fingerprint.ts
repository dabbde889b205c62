import type { JsonValue } from "@millrace/contracts";
import { sha256Hex } from "./digest.ts";

/** JSON with the keys of every object in order, so that equal values have equal text. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`);
  return `{${members.join(",")}}`;
}

/** What makes a repeated request the same request: method, path and the fields that change what is done. */
export function fingerprint(
  method: string,
  path: string,
  fields: Readonly<Record<string, JsonValue>>,
): Promise<string> {
  return sha256Hex(`${method} ${path}\n${canonicalJson(fields)}`);
}
