import { describe, expect, it } from "vitest";
import { FirstWord } from "./first-word.ts";
import { makeSession } from "./testing/make-facts.ts";

const unsaid = makeSession({});
const queued = { phase: "Pending", reason: "Queued" } as const;

describe("the first status of a session", () => {
  it("waits half a second for the first attempt, and not longer however often it is looked at", () => {
    const word = new FirstWord();
    expect(word.waitsUntil(unsaid, queued, 1000)).toBe(1500);
    expect(word.waitsUntil(unsaid, queued, 1400)).toBe(1500);
    expect(word.waitsUntil(unsaid, queued, 1500)).toBeUndefined();
  });

  it("does not wait again when its write has failed", () => {
    const word = new FirstWord();
    word.waitsUntil(unsaid, queued, 1000);
    expect(word.waitsUntil(unsaid, queued, 1500)).toBeUndefined();
    expect(word.waitsUntil(unsaid, queued, 1501)).toBeUndefined();
  });

  it("does not wait where it says more than that, nor where there is one already", () => {
    const word = new FirstWord();
    const creating = { phase: "Creating", reason: "Creating", attempt: 1 } as const;
    const missing = { phase: "Pending", reason: "SecretMissing" } as const;
    const told = { ...queued, sentMessages: ["m1"] };
    for (const status of [creating, missing, told]) {
      expect(word.waitsUntil(unsaid, status, 1000)).toBeUndefined();
    }
    expect(word.waitsUntil(makeSession({ status: queued }), queued, 1000)).toBeUndefined();
  });

  it("begins anew for a session that was forgotten", () => {
    const word = new FirstWord();
    word.waitsUntil(unsaid, queued, 1000);
    word.forget(unsaid.metadata.uid);
    expect(word.waitsUntil(unsaid, queued, 2000)).toBe(2500);
  });
});
