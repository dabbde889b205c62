import { describe, expect, it } from "vitest";
import { decideAppend } from "./decide-append.ts";
import type { StreamState } from "./state.ts";

const open: StreamState = {
  id: "s",
  contentType: "application/json",
  ttlSeconds: null,
  expiresAt: null,
  touchedAt: 0,
  closed: false,
  closedBy: null,
  streamSeq: "b",
  fork: null,
  gone: false,
};
const closer = { id: "p", epoch: 1, seq: 4 };
const closed: StreamState = { ...open, closed: true, closedBy: closer };
const data = {
  contentType: "Application/JSON; charset=utf-8",
  close: false,
  producer: null,
  streamSeq: null,
  isEmpty: false,
  fits: true,
};

describe("an append to an open stream", () => {
  it("goes by media type, without case and parameters", () => {
    expect(decideAppend(open, null, data)).toEqual({ kind: "accepted" });
    const other = { ...data, contentType: "text/plain" };
    expect(decideAppend(open, null, other)).toEqual({ kind: "content_type" });
    expect(decideAppend(open, null, { ...other, isEmpty: true, close: true })).toEqual({
      kind: "accepted",
    });
  });

  it("finds no room last: a repeat needs none, and a close alone takes none", () => {
    const large = { ...data, fits: false };
    expect(decideAppend(open, null, large)).toEqual({ kind: "full" });
    expect(decideAppend(open, null, { ...large, streamSeq: "a" })).toEqual({ kind: "stream_seq" });
    const again = { ...large, producer: closer };
    expect(decideAppend(open, { epoch: 1, last: 4 }, again)).toEqual({ kind: "known", last: 4 });
  });

  it("follows the application's own order, byte by byte", () => {
    const kinds = ["a", "b", "c", "B"].map(
      (streamSeq) => decideAppend(open, null, { ...data, streamSeq }).kind,
    );
    expect(kinds).toEqual(["stream_seq", "stream_seq", "accepted", "stream_seq"]);
  });

  it("is known by its producer before its order is looked at", () => {
    const again = { ...data, producer: closer, streamSeq: "a" };
    expect(decideAppend(open, { epoch: 1, last: 4 }, again)).toEqual({ kind: "known", last: 4 });
  });
});

describe("an append to a closed stream", () => {
  it("is refused, unless it is the close again", () => {
    expect(decideAppend(closed, null, data)).toEqual({ kind: "closed" });
    const close = { ...data, close: true };
    expect(decideAppend(closed, null, close)).toEqual({ kind: "closed" });
    const known = { kind: "known", last: null };
    expect(decideAppend(closed, null, { ...close, isEmpty: true })).toEqual(known);
    const record = { epoch: 1, last: 4 };
    const same = { ...close, producer: closer };
    expect(decideAppend(closed, record, same)).toEqual({ kind: "known", last: 4 });
    const next = { ...close, producer: { ...closer, seq: 5 } };
    expect(decideAppend(closed, record, next)).toEqual({ kind: "closed" });
  });

  it("tells a zombie of its epoch all the same", () => {
    const zombie = { ...data, producer: { ...closer, epoch: 0 } };
    const stale = { kind: "stale", epoch: 1 };
    expect(decideAppend(closed, { epoch: 1, last: 4 }, zombie)).toEqual(stale);
  });
});
