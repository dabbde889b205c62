import { z } from "zod";

/** Part of a CustomResourceDefinition's schema, as plain data. */
export type StructuralSchema = { readonly [key: string]: unknown };

/** What JSON Schema knows and a structural schema does not allow, or says otherwise. */
const dropped = new Set(["$schema", "propertyNames", "additionalProperties"]);

/**
 * A zod schema as Kubernetes takes it: JSON Schema without what it refuses. Unknown fields are pruned by the API server,
 * so `additionalProperties` stays only where it describes a map. Source: the API concepts of Kubernetes on structural schemas.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: "input", target: "draft-7" }));
}

function convert(node: StructuralSchema): StructuralSchema {
  const entries = Object.entries(node).filter(([key, value]) => !isDropped(node, key, value));
  const kept = Object.fromEntries(entries);
  const { properties, items, additionalProperties } = node;
  if (node["type"] === "integer") kept["format"] = "int64";
  return {
    ...kept,
    ...(isRecord(properties) && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [
          name,
          convert(child as StructuralSchema),
        ]),
      ),
    }),
    ...(isRecord(items) && { items: convert(items) }),
    ...(isRecord(additionalProperties) && {
      additionalProperties: convert(additionalProperties),
    }),
  };
}

function isDropped(node: StructuralSchema, key: string, value: unknown): boolean {
  if (dropped.has(key)) return true;
  // Bounds of what a double can count are no rule of ours.
  if (key === "minimum" || key === "maximum")
    return Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
  return key === "pattern" && node["format"] === "date-time";
}

function isRecord(value: unknown): value is StructuralSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
