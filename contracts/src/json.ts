import { z } from "zod";

export type JsonValue = z.core.util.JSONType;

/** Deeper nesting overflows the stack of whatever walks it later. */
const maxDepth = 64;

/**
 * JSON that a client sent or that we send. Only the depth is checked: the value comes from `JSON.parse`,
 * and walking a megabyte through a schema of JSON costs more than everything else in a request.
 */
export const Json = z
  .custom<JsonValue>(isShallow, `must be JSON of at most ${maxDepth} levels`)
  .meta({ type: ["object", "array", "string", "number", "boolean", "null"] });

function isShallow(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return false;
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item) : [],
    );
  }
  return value !== undefined;
}
