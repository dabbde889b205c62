import { describe, expect, it } from "vitest";
import { IngestGate } from "./ingest-gate.ts";

describe("IngestGate", () => {
  it("refuses what is over its bound until what came before is on disk", async () => {
    const disk = Promise.withResolvers<void>();
    const gate = new IngestGate(100, () => disk.promise);
    expect(gate.take(60)).toBe(true);
    expect(gate.take(50)).toBe(false);
    expect(gate.take(40)).toBe(true);
    gate.written(100);
    expect(gate.take(1)).toBe(false);
    disk.resolve();
    await disk.promise;
    expect(gate.take(100)).toBe(true);
  });

  it("always takes a message that comes alone, and frees what could not be written", async () => {
    const gate = new IngestGate(100, () => Promise.reject(new Error("disk")));
    expect(gate.take(500)).toBe(true);
    expect(gate.take(1)).toBe(false);
    gate.written(500);
    await Promise.resolve();
    expect(gate.take(500)).toBe(true);
  });
});
