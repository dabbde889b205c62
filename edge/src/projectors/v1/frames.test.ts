import { encodeEvent, encodeRow, eventData, v1 } from "@millrace/contracts";
import type { EventType, NewEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { at, eventTable, runId } from "../../testing/event-table.ts";
import { projectRows } from "./frames.ts";

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

const frameOf = (event: NewEvent) => parse(projectRows(rowOf([event]), 0, runId).text);

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
      expect(parse(projectRows(row, 0, runId).text)[0]?.frame.data).toEqual({ token: "x" });
    }
  });
});

describe("the cursor", () => {
  const events = eventTable.map(([event]) => event);
  const rows = rowOf(events.slice(0, 10)) + rowOf(events.slice(10), 11);

  it("numbers without a gap, and a later start is a suffix", () => {
    const whole = projectRows(rows, 0, runId);
    expect(parse(whole.text).map(({ id }) => Number(id))).toEqual(events.map((_, i) => i + 1));
    for (let after = 0; after <= events.length; after += 1) {
      const rest = projectRows(rows, after, runId);
      expect(whole.text.endsWith(rest.text)).toBe(true);
      expect(parse(rest.text)).toHaveLength(events.length - after);
      expect(rest.last).toBe(events.length);
    }
  });

  it("stays where it is when there is nothing to tell", () => {
    expect(projectRows("", 7, runId)).toEqual({ text: "", last: 7 });
  });
});
