import { describe, it } from "vitest";
import { ToolCallAssembler } from "./tool-call-assembler.ts";

type Delta = Parameters<ToolCallAssembler["add"]>[0];

function assemble(deltas: readonly Delta[]) {
  const assembler = new ToolCallAssembler();
  for (const delta of deltas) assembler.add(delta);
  return assembler.finish();
}

describe("tool calls from a stream", () => {
  it("come in fragments, several at once", ({ expect }) => {
    expect(
      assemble([
        { index: 0, id: "a", function: { name: "ls", arguments: "" } },
        { index: 1, id: "b", function: { name: "grep", arguments: '{"p' } },
        { index: 0, function: { arguments: "{}" } },
        { index: 1, function: { arguments: '":1}' } },
      ]),
    ).toEqual([
      { id: "a", name: "ls", arguments: "{}" },
      { id: "b", name: "grep", arguments: '{"p":1}' },
    ]);
  });

  it("come whole, all with index 0, from some endpoints", ({ expect }) => {
    expect(
      assemble([
        { index: 0, id: "a", function: { name: "ls", arguments: "{}" } },
        { index: 0, id: "b", function: { name: "ls", arguments: '{"path":"x"}' } },
      ]),
    ).toHaveLength(2);
  });

  it("keep what a provider wants back", ({ expect }) => {
    const extra_content = { google: { thought_signature: "s" } };
    const delta = { index: 0, id: "a", function: { name: "ls", arguments: "{}" }, extra_content };
    expect(assemble([delta])).toMatchObject([{ extra: extra_content }]);
  });

  it("are none without a name", ({ expect }) => {
    expect(assemble([{ index: 0, function: { arguments: "{}" } }])).toEqual([]);
  });
});
