import { describe, it } from "vitest";
import { LogWindow } from "./log-window.ts";

const read = (window: LogWindow): string => window.bytes().toString("utf8");

describe("the window on a log", () => {
  it("holds a short one whole", ({ expect }) => {
    const window = new LogWindow(() => 1000);
    for (const piece of ["one\n", "", "two\n", "drei äöü\n"]) window.push(piece);
    expect(read(window)).toBe("one\ntwo\ndrei äöü\n");
  });

  it("keeps beginning and end of a long one, in whole lines, and says what is missing", ({
    expect,
  }) => {
    const window = new LogWindow(() => 1000);
    for (let at = 0; at < 1000; at += 1) window.push(`line ${at}\n`);
    const text = read(window);
    expect(text.length).toBeLessThanOrEqual(1000);
    expect(text.startsWith("line 0\nline 1\n")).toBe(true);
    expect(text.endsWith("line 998\nline 999\n")).toBe(true);
    const [head = "", left = "", tail = ""] = text.split(/\n\[(\d+) bytes are left out here\]\n/);
    expect(tail).toMatch(/^line \d+\n/);
    expect(head.length + Number(left) + tail.length).toBe(window.written);
  });

  it("is never larger than it may be, with one line that is", ({ expect }) => {
    const window = new LogWindow(() => 1000);
    window.push("ä".repeat(100_000));
    expect(window.bytes().length).toBeLessThanOrEqual(1000);
    expect(window.written).toBe(200_000);
  });

  it("gives room back when others need it", ({ expect }) => {
    let max = 1000;
    const window = new LogWindow(() => max);
    for (let at = 0; at < 100; at += 1) window.push(`line ${at}\n`);
    max = 300;
    window.push("the last\n");
    expect(read(window).length).toBeLessThanOrEqual(300);
    expect(read(window).endsWith("line 99\nthe last\n")).toBe(true);
  });
});
