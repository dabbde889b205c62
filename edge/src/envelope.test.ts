import { PageQuery } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { nextPage } from "./envelope.ts";

const page = (count: number, total: number, offset: number) => ({
  items: Array.from({ length: count }),
  total,
  limit: 2,
  offset,
});

describe("the next page", () => {
  it.each([
    [page(2, 5, 0), "/x?limit=2&offset=2"],
    [page(2, 5, 2), "/x?limit=2&offset=4"],
    [page(1, 5, 4), null],
    [page(2, 4, 2), null],
    [page(0, 5, 9), null],
    [page(0, 0, 0), null],
  ])("%o", (given, next) => {
    expect(nextPage("/x", given)).toBe(next);
  });
});

describe("the query of a list", () => {
  it.each([
    [{}, { limit: 50, offset: 0 }],
    [{ limit: "1" }, { limit: 1, offset: 0 }],
    [{ limit: "500" }, { limit: 500, offset: 0 }],
    [{ limit: "501" }, { limit: 500, offset: 0 }],
    [{ limit: "9".repeat(40) }, { limit: 500, offset: 0 }],
    [
      { offset: "7", other: "x" },
      { limit: 50, offset: 7 },
    ],
  ])("accepts %o", (query, parsed) => {
    expect(PageQuery.parse(query)).toEqual(parsed);
  });

  it.each(["0", "-1", "1.5", "1e2", "0x10", "abc", "", " 1", "١"])("refuses limit=%j", (limit) => {
    expect(PageQuery.safeParse({ limit }).success).toBe(false);
  });

  it.each(["-1", "1.5", "abc", ""])("refuses offset=%j", (offset) => {
    expect(PageQuery.safeParse({ offset }).success).toBe(false);
  });
});
