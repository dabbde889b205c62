import { Frame, type RunnerEvent } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { Outbox } from "./outbox.ts";

const event = (text: string): RunnerEvent => ({
  type: "text.delta",
  data: { messageId: "m", text },
});

function frames(outbox: Outbox, now = 0): Frame[] {
  const sent: Frame[] = [];
  for (let text = outbox.next(now); text; text = outbox.next(now)) {
    sent.push(Frame.parse(JSON.parse(text)));
  }
  return sent;
}

const textsOf = (frame: Frame | undefined): readonly unknown[] =>
  (frame?.events ?? []).map((each) => (each.type === "text.delta" ? each.data.text : each.type));

describe("Outbox", () => {
  it("puts what is appended before a send into one frame", () => {
    const outbox = new Outbox();
    for (const text of ["a", "b", "c"]) expect(outbox.append({ events: [event(text)] })).toBe(1);
    const sent = frames(outbox);
    expect(sent).toHaveLength(1);
    expect(textsOf(sent[0])).toEqual(["a", "b", "c"]);
    expect(outbox.append({ events: [event("d")] })).toBe(2);
  });

  it("keeps number and content of a frame for a resend", () => {
    const outbox = new Outbox();
    outbox.append({ events: [event("a")] });
    const first = outbox.next(1);
    outbox.append({ events: [event("b")] });
    outbox.rewind();
    expect(outbox.next(2)).toBe(first);
    expect(textsOf(frames(outbox)[0])).toEqual(["b"]);
  });

  it("drops what is acked and tells when it was last sent", () => {
    const outbox = new Outbox();
    outbox.append({ events: [event("a")], step: { n: 1, body: "{}" } });
    outbox.append({ events: [event("b")] });
    outbox.next(10);
    outbox.next(20);
    expect(outbox.acked(1)).toBe(10);
    expect(outbox.acked(1)).toBeUndefined();
    outbox.rewind();
    expect(outbox.next(30)).toContain('"producerSeq":2');
    expect(outbox.acked(2)).toBe(30);
    expect(outbox.bytes).toBe(0);
  });

  it("sends no more than a window, and goes on with the acks", () => {
    const outbox = new Outbox({ windowFrames: 2, maxBytes: 1_000_000 });
    for (let n = 1; n <= 4; n += 1) outbox.append({ events: [], step: { n, body: "{}" } });
    expect(frames(outbox).map((frame) => frame.producerSeq)).toEqual([1, 2]);
    outbox.acked(1);
    expect(frames(outbox).map((frame) => frame.producerSeq)).toEqual([3]);
    outbox.acked(3);
    expect(frames(outbox).map((frame) => frame.producerSeq)).toEqual([4]);
  });

  it("asks to wait above its bound", () => {
    const outbox = new Outbox({ windowFrames: 1, maxBytes: 1_000 });
    expect(outbox.hasRoom()).toBe(true);
    outbox.append({ events: [event("x".repeat(2_000))] });
    expect(outbox.hasRoom()).toBe(false);
    outbox.next(0);
    outbox.acked(1);
    expect(outbox.hasRoom()).toBe(true);
  });

  it("starts another frame when one is large enough", () => {
    const outbox = new Outbox();
    for (let n = 0; n < 3; n += 1) outbox.append({ events: [event("x".repeat(60_000))] });
    expect(frames(outbox).map((frame) => frame.events.length)).toEqual([2, 1]);
  });

  it("lets nothing overtake a frame that waits for its step", () => {
    const outbox = new Outbox();
    const body = { bytes: 300_000 };
    outbox.append({ events: [event("a")] });
    const waiting = outbox.append({ events: [event("b")], awaits: [body] });
    outbox.append({ events: [event("c")] });
    expect(frames(outbox)).toEqual([]);
    expect(outbox.bytes).toBeGreaterThan(300_000);
    outbox.stored(waiting, body, { n: 1, body: '{"$blob":"x"}' });
    expect(outbox.bytes).toBeLessThan(1_000);
    const sent = frames(outbox);
    expect(sent.map(textsOf)).toEqual([["a", "b"], ["c"]]);
    expect(sent[0]?.steps).toEqual([{ n: 1, body: '{"$blob":"x"}' }]);
  });

  it("knows whether the last frame was on the wire", () => {
    const outbox = new Outbox();
    outbox.append({ events: [], outcome: { kind: "cancelled" } });
    expect(outbox.outcomeWasSent()).toBe(false);
    expect(frames(outbox)[0]?.outcome).toEqual({ kind: "cancelled" });
    expect(outbox.outcomeWasSent()).toBe(true);
  });
});
