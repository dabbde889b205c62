import { describe, expect, it } from "vitest";
import { decideNextTry, type TryOutcome } from "./decide-next-try.ts";

const situation = { tries: 0, delaysSeconds: [5, 30], now: 1000, jitter: 0.5 };
const answered = (statusCode: number): TryOutcome => ({ kind: "answered", statusCode, answer: "" });

describe("a try", () => {
  it.for([200, 201, 204, 299])("that was answered %i has delivered", (statusCode) => {
    expect(decideNextTry(answered(statusCode), situation)).toEqual({
      status: "delivered",
      tries: 0,
      error: null,
      nextAt: null,
      disable: false,
    });
  });

  it.for([
    [300, "redirect"],
    [308, "redirect"],
    [400, "http_status"],
    [404, "http_status"],
    [429, "http_status"],
    [500, "http_status"],
  ] as const)("that was answered %i is followed by another", ([statusCode, error]) => {
    const verdict = decideNextTry(answered(statusCode), situation);
    expect(verdict).toMatchObject({ status: "pending", tries: 1, error, nextAt: 6000 });
  });

  it.for(["timeout", "connection_failed", "unresolvable", "address_refused", "internal"] as const)(
    "that failed by %s is followed by another",
    (error) => {
      const verdict = decideNextTry({ kind: "failed", error }, { ...situation, tries: 1 });
      expect(verdict).toMatchObject({ status: "pending", tries: 2, error, nextAt: 31_000 });
    },
  );

  it("is the last when the delays are used up", () => {
    const verdict = decideNextTry(answered(500), { ...situation, tries: 2 });
    expect(verdict).toMatchObject({ status: "dead", tries: 3, nextAt: null, disable: false });
  });

  it("that was answered 410 is the last, of everything", () => {
    const verdict = decideNextTry(answered(410), situation);
    expect(verdict).toMatchObject({ status: "dead", nextAt: null, disable: true });
  });

  it("of a disabled webhook is the last", () => {
    const verdict = decideNextTry({ kind: "failed", error: "webhook_disabled" }, situation);
    expect(verdict).toMatchObject({ status: "dead", disable: false });
  });

  it("is spread by a tenth to either side", () => {
    const nextAt = [0, 0.999].map(
      (jitter) => decideNextTry(answered(500), { ...situation, jitter }).nextAt,
    );
    expect(nextAt).toEqual([5500, 6499]);
  });
});
