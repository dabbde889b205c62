import { expect, it } from "vitest";
import { readLines } from "./read-lines.ts";

async function read(...chunks: readonly Uint8Array[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of readLines(ReadableStream.from(chunks))) lines.push(line);
  return lines;
}
const bytes = (text: string) => new TextEncoder().encode(text);

it("puts lines together from any pieces, and drops a torn one", async () => {
  expect(await read(bytes("a\nb"), bytes("b"), bytes("b\n\nc\nto"), bytes("rn"))).toEqual([
    "a",
    "bbb",
    "",
    "c",
  ]);
});

it("does not break a character between two chunks", async () => {
  const all = bytes("größe\n");
  for (let cut = 1; cut < all.length; cut += 1) {
    expect(await read(all.slice(0, cut), all.slice(cut))).toEqual(["größe"]);
  }
});

it("gives up on a line that does not end", async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(97);
  await expect(read(...Array.from({ length: 33 }, () => chunk))).rejects.toThrow(RangeError);
});
