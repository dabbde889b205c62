import { encodeEvent, encodeRow, eventData, v1 } from "@millrace/contracts";
import type { EventType, NewEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { at, eventTable, runId } from "../../testing/event-table.ts";
import { projectRows } from "./frames.ts";

const run = { projectId: "p", runId };

interface Parsed {
  readonly id: string;
  readonly event: string;
  readonly frame: v1.V1Frame;
}

function parse(text: string): readonly Parsed[] {
  const blocks = text.split("\n\n").slice(0, -1);
  return blocks.map((block) => {
    const [id = "", event = "", data = "", ...rest] = block.split("\n");
    expect(rest).toEqual([]);
    return {
      id: id.replace("id: ", ""),
      event: event.replace("event: ", ""),
      frame: v1.V1Frame.parse(JSON.parse(data.replace("data: ", ""))),
    };
  });
}

const rowOf = (events: readonly NewEvent[], first = 1) =>
  encodeRow({ first, at, body: events.map(encodeEvent).join("") });

const frameOf = (event: NewEvent) => parse(projectRows(rowOf([event]), 0, run).text);

describe("every canonical event is exactly one frame", () => {
  it.each(eventTable)("%o", (event, name, data) => {
    const frames = frameOf(event);
    expect(frames).toHaveLength(1);
    expect(frames[0]).toMatchObject({
      id: "1",
      event: name,
      frame: { id: 1, event: name, data, ts: "2026-11-20T10:00:00.000Z" },
    });
  });

  it("leaves no type out", () => {
    const covered = new Set<EventType>(eventTable.map(([event]) => event.type));
    expect(Object.keys(eventData).filter((type) => !covered.has(type as EventType))).toEqual([]);
  });

  it("uses `done`, `error` and `cancelled` for nothing but the end", () => {
    const ends = eventTable.filter(
      ([, name, data]) => name !== "status" || ("status" in data && data.status === "cancelled"),
    );
    const types = ends
      .filter(([, name]) => name === "done" || name === "error" || name === "status")
      .map(([event]) => event.type);
    expect(types).toEqual(["run.succeeded", "run.failed", "run.cancelled"]);
  });
});

describe("an event whose data is too large for the log", () => {
  const preview = { type: "custom", data: { name: "n", value: "the begin" } } as const;
  const framed = (sha256: string | null) =>
    frameOf({ ...preview, blob: { sha256, size: 300_000 } } as NewEvent)[0]?.frame.data;

  it("is one frame: a preview that links to the whole", () => {
    const sha256 = "a".repeat(64);
    const url = `/v1/projects/p/runs/${runId}/blobs/${sha256}`;
    const shown = { status: "custom", ...preview.data };
    expect(framed(sha256)).toEqual({ ...shown, blob: { sha256, size: 300_000, url } });
  });

  it("says so when the whole is nowhere", () => {
    const shown = { status: "custom", ...preview.data };
    expect(framed(null)).toEqual({ ...shown, cut: { size: 300_000 } });
  });

  it("is a token like any other", () => {
    const blob = { sha256: null, size: 300_000 };
    const event = { type: "text.delta", data: { messageId: "m", text: "x" }, blob } as const;
    expect(frameOf(event)[0]?.frame.data).toEqual({ token: "x", cut: { size: 300_000 } });
  });
});

describe("tokens are cut out of their JSON", () => {
  const texts = [
    "",
    "a",
    'say "hi"',
    '"',
    "\\",
    '\\"',
    '","text":"',
    "\n\t\r",
    "é 😀 \u2028",
    '"}',
    "\\\\",
  ];
  it.each(texts)("%j", (text) => {
    const [frame] = frameOf({ type: "text.delta", data: { messageId: "m-1", text } });
    expect(frame?.frame.data).toEqual({ token: text });
  });

  it("whatever the message is called, and whatever stands beside the text", () => {
    for (const json of [
      String.raw`{"messageId":"a\"b","text":"x"}`,
      String.raw`{"messageId":"a\\","text":"x"}`,
      `{"text":"x","messageId":"m"}`,
      `{"messageId":"m","text":"x","more":"y"}`,
    ]) {
      const row = encodeRow({ first: 1, at, body: `text.delta\t${json}\n` });
      expect(parse(projectRows(row, 0, run).text)[0]?.frame.data).toEqual({ token: "x" });
    }
  });
});

describe("the cursor", () => {
  const events = eventTable.map(([event]) => event);
  const rows = rowOf(events.slice(0, 10)) + rowOf(events.slice(10), 11);

  it("numbers without a gap, and a later start is a suffix", () => {
    const whole = projectRows(rows, 0, run);
    expect(parse(whole.text).map(({ id }) => Number(id))).toEqual(events.map((_, i) => i + 1));
    for (let after = 0; after <= events.length; after += 1) {
      const rest = projectRows(rows, after, run);
      expect(whole.text.endsWith(rest.text)).toBe(true);
      expect(parse(rest.text)).toHaveLength(events.length - after);
      expect(rest.last).toBe(events.length);
    }
  });

  it("stays where it is when there is nothing to tell", () => {
    expect(projectRows("", 7, run)).toEqual({ text: "", last: 7 });
  });
});
