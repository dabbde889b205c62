type Schema = Readonly<Record<string, unknown>>;

/** Keywords that some compatible endpoints refuse. The server checks what it is given. */
const dropped: ReadonlySet<string> = new Set([
  "$schema",
  "additionalProperties",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
]);
/** Their keys are names, which may be the same as a keyword. */
const named: ReadonlySet<string> = new Set(["properties", "$defs", "definitions"]);
/** Their values are data. */
const verbatim: ReadonlySet<string> = new Set(["enum", "const", "default", "examples", "required"]);

/** A tool's schema as every provider takes it. */
export function plainSchema(schema: Schema): Record<string, unknown> {
  const plain = convert(schema) as Record<string, unknown>;
  // Without properties a provider refuses an object.
  return { properties: {}, ...plain };
}

function convert(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(convert);
  if (!isRecord(node)) return node;
  const kept = Object.entries(node).filter(([key]) => !dropped.has(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, convertValue(key, value)]));
}

function convertValue(key: string, value: unknown): unknown {
  if (verbatim.has(key)) return value;
  if (!named.has(key) || !isRecord(value)) return convert(value);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, convert(child)]));
}

const isRecord = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
