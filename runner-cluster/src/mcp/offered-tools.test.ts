import { expect, it } from "vitest";
import { plainSchema } from "./plain-schema.ts";
import { toolName } from "./tool-name.ts";

it.each([
  ["docs", "look_up", "docs__look_up"],
  ["docs", "look.up", /^docs__look_up_[0-9a-f]{8}$/],
  ["docs", "l".repeat(58), `docs__${"l".repeat(58)}`],
  ["docs", "l".repeat(59), /^docs__l{49}_[0-9a-f]{8}$/],
  ["s".repeat(32), "ü".repeat(128), /^s{32}__(_){21}_[0-9a-f]{8}$/],
])("a tool of %s named %s is called by a name that providers take", (server, tool, name) => {
  expect(toolName(server, tool)).toMatch(name);
  expect(toolName(server, tool)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
  expect(toolName(server, tool)).toBe(toolName(server, tool));
});

it("two tools never share a name", () => {
  const tools = ["a.b", "a_b", "a b", "a/b", "l".repeat(80), `${"l".repeat(80)}m`];
  expect(new Set(tools.map((tool) => toolName("docs", tool))).size).toBe(tools.length);
});

it("a schema goes without what providers refuse, and keeps properties of such names", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    additionalProperties: false,
    properties: {
      minimum: { type: "integer", minimum: 1, default: { maximum: 3 } },
      list: { type: "array", items: { anyOf: [{ type: "number", maximum: 2 }] } },
    },
  };
  expect(plainSchema(schema)).toEqual({
    type: "object",
    properties: {
      minimum: { type: "integer", default: { maximum: 3 } },
      list: { type: "array", items: { anyOf: [{ type: "number" }] } },
    },
  });
  expect(plainSchema({ type: "object" })).toEqual({ type: "object", properties: {} });
});
