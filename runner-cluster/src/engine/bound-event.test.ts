import { encodeEvent, limits, RunnerEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { boundEvent, boundOutcome, piecesOf } from "./bound-event.ts";

const huge = 2_000_000;
const call = { callId: "c".repeat(64), name: "write_file", phase: "build" } as const;
const started = (input: unknown): RunnerEvent =>
  ({ type: "tool.started", data: { ...call, input } }) as RunnerEvent;
const finished = (output: unknown): RunnerEvent =>
  ({ type: "tool.finished", data: { ...call, ok: true, output, durationMs: 1 } }) as RunnerEvent;

const todo = {
  id: "i".repeat(900),
  title: "\u0001".repeat(900),
  details: "d".repeat(900),
  acceptanceCriteria: Array.from({ length: 40 }, () => "\u0001".repeat(900)),
};
const keys = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`key-${n}`, n]));
const nested = (levels: number): unknown => (levels === 0 ? "leaf" : [nested(levels - 1)]);

const cases: Readonly<Record<string, RunnerEvent>> = {
  "a long string in the input": started({ path: "a", content: "x".repeat(huge) }),
  "control characters, six times as long when encoded": finished({ stdout: "\0".repeat(64_000) }),
  "many strings": started({ lines: Array.from({ length: 100_000 }, () => "line of text") }),
  "lists of lists": started(
    Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => "x".repeat(100))),
  ),
  "many keys": started(keys),
  "a long key": started({ ["k".repeat(huge)]: 1 }),
  "deep nesting beside much text": started([nested(60), "x".repeat(huge)]),
  "a plan that is all control characters": {
    type: "run.plan",
    data: {
      phase: "plan",
      summary: "s".repeat(huge),
      todos: Array.from({ length: 200 }, () => todo),
    },
  },
  "a path": {
    type: "file.changed",
    data: { callId: "c", op: "write", path: "p".repeat(huge), phase: "build" },
  },
  "an error message": {
    type: "tool.finished",
    data: { ...call, ok: false, error: { code: "x", message: "m".repeat(huge) }, durationMs: 1 },
  },
  "what a commit said": {
    type: "workspace.committed",
    data: { outcome: "failed", error: "e".repeat(huge) },
  },
  "missing folders": {
    type: "workspace.ready",
    data: {
      restored: true,
      isolated: true,
      missing: Array.from({ length: 100_000 }, () => "folder"),
    },
  },
  "a provider's error": {
    type: "model.retrying",
    data: { error: "e".repeat(huge), backoffMs: 1, retry: 1 },
  },
};

describe("an event that is too large for the log", () => {
  it.each(Object.entries(cases))("has a short preview, and the whole beside it: %s", (_, event) => {
    const { whole, ...preview } = boundEvent(event);
    expect(Buffer.byteLength(encodeEvent(preview))).toBeLessThan(limits.eventPreviewMaxBytes + 100);
    expect(RunnerEvent.parse(preview)).toEqual(preview);
    expect(JSON.parse(whole ?? "")).toEqual(JSON.parse(JSON.stringify(event.data)));
  });

  it("is left as a preview that says so when it is too large to be stored", () => {
    const { whole, ...preview } = boundEvent(started("x".repeat(limits.blobMaxBytes)));
    expect(whole).toBeUndefined();
    expect(preview.blob).toEqual({ sha256: null, size: expect.any(Number) });
    expect(preview.blob?.size).toBeGreaterThan(limits.blobMaxBytes);
    expect(encodeEvent(preview)).toContain("[cut: ");
  });

  it.each([cases["many keys"], cases["an error message"], cases["lists of lists"]])(
    "keeps what pairs it with its other half",
    (event) => expect(event && boundEvent(event).data).toMatchObject(call),
  );

  it("leaves one that fits as it is", () => {
    const event = started({ content: "x".repeat(250_000) });
    expect(boundEvent(event)).toBe(event);
  });
});

describe("an outcome", () => {
  it.each(["x", "\u0001", "😀"])("has an answer that fits, whatever it is made of: %j", (part) => {
    const outcome = boundOutcome({ kind: "succeeded", output: part.repeat(huge) });
    const output = outcome.kind === "succeeded" ? outcome.output : "";
    expect(output).toContain("[cut: ");
    expect(output.length).toBeGreaterThan(10_000);
    expect(JSON.stringify(output).length).toBeLessThanOrEqual(limits.inlineBodyMaxBytes);
  });

  it("has an error that fits", () => {
    const failed = { kind: "failed", code: "runner_error", retryable: false } as const;
    const outcome = boundOutcome({ ...failed, error: "e".repeat(huge) });
    expect(JSON.stringify(outcome).length).toBeLessThan(3_000);
  });
});

it("cuts text into pieces between characters, and loses none", () => {
  const text = `x${"😀".repeat(100_000)}`;
  const pieces = [...piecesOf(text)];
  expect(pieces.join("")).toBe(text);
  expect(pieces.every((piece) => piece.isWellFormed() && piece.length <= 16 * 1024)).toBe(true);
  expect([...piecesOf("")]).toEqual([""]);
});
