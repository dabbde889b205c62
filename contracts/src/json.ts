import { z } from "zod";
import { limits } from "./limits.ts";

export type JsonValue = z.core.util.JSONType;

/** Deeper nesting overflows the stack of whatever walks it later. */
const maxDepth = 64;

/**
 * JSON that a client sent or that we send. Only what would break it on its way is checked: the value comes from
 * `JSON.parse`, and walking a megabyte through a schema of JSON costs more than everything else in a request.
 */
export const Json = z
  .custom<JsonValue>(
    isPlain,
    `must be JSON of at most ${maxDepth} levels, without numbers beyond the range of a double`,
  )
  .meta({ type: ["object", "array", "string", "number", "boolean", "null"] });

/** JSON that is stored in rows: `[1e20, …]` is five times as long when it is written again. */
export const StoredJson = Json.refine(
  (value) => JSON.stringify(value).length <= limits.requestBodyMaxBytes,
  `must have at most ${limits.requestBodyMaxBytes} characters as JSON`,
);

function isPlain(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    // `JSON.parse` reads 1e999 as infinity, which JSON cannot say.
    if (depth > maxDepth || level.some(isInfinite)) return false;
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item) : [],
    );
  }
  return value !== undefined;
}

function isInfinite(value: unknown): boolean {
  return typeof value === "number" && !Number.isFinite(value);
}
