import { encodeMark, encodeRow } from "@millrace/contracts";
import { bytesLines, jsonLine } from "@millrace/durable-objects";
import { describe, expect, it } from "vitest";
import { batchOfMessages } from "./message-batch.ts";

const messages = ['{"n":1}', '"a\\njson\\tb"', "[]", "4", "null", '{"six":" , "}'];
const row = (first: number, jsons: readonly string[]) =>
  encodeRow({ first, at: 1_700_000_000_000, body: jsons.map(jsonLine).join("") });
const rows =
  row(1, messages.slice(0, 1)) + row(2, messages.slice(1, 5)) + row(6, messages.slice(5));

describe("the batch of a JSON stream", () => {
  it.each([0, 1, 2, 3, 4, 5, 6])("has every message after %i, once and untouched", (after) => {
    const batch = batchOfMessages(rows, after);
    expect(batch.json).toBe(`[${messages.slice(after).join(",")}]`);
    expect(batch).toMatchObject({ last: 6, isEmpty: after === 6, isUpToDate: false });
    expect(batch.pieces).toEqual([]);
  });

  it("is empty without rows, and stays where it was", () => {
    const nothing = { json: "[]", last: 7, isEmpty: true, isUpToDate: false, isClosed: false };
    expect(batchOfMessages("", 7)).toMatchObject(nothing);
    expect(batchOfMessages(rows, 7)).toMatchObject(nothing);
  });

  it("knows a mark, and that what follows makes it worthless", () => {
    const open = encodeMark(6, false);
    const is = { isUpToDate: true, isClosed: false };
    expect(batchOfMessages(rows + open, 0)).toMatchObject({ last: 6, ...is });
    expect(batchOfMessages(open, 6)).toMatchObject({ isEmpty: true, last: 6, ...is });
    expect(batchOfMessages(open + row(7, ["7"]), 6)).toMatchObject({ last: 7, isUpToDate: false });
    const closed = batchOfMessages(rows + encodeMark(6, true), 6);
    expect(closed).toMatchObject({ isEmpty: true, isUpToDate: true, isClosed: true });
  });
});

it("the batch of any other stream has every piece after a message", () => {
  const pieces = ["one", "two", "three"].map((text) => new TextEncoder().encode(text));
  const body = pieces.flatMap((piece) => bytesLines(piece)).join("");
  const text = encodeRow({ first: 1, at: 1, body }) + encodeMark(3, false);
  for (const after of [0, 1, 2, 3]) {
    const batch = batchOfMessages(text, after);
    expect(batch.pieces).toEqual(pieces.slice(after));
    expect(batch).toMatchObject({ last: 3, isEmpty: after === 3, isUpToDate: true });
  }
});
