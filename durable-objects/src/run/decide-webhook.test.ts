import { describe, expect, it } from "vitest";
import { decideNextLook, parseWebhookKey, webhookKey } from "./decide-webhook.ts";

const now = 1_000_000;

describe("when a run looks after its deliveries again", () => {
  it("is never, once all are settled", () => {
    expect(decideNextLook([], 0, now)).toBeNull();
  });

  it("is a little after the earliest next try", () => {
    const pending = [
      { id: "a", nextAt: now + 60_000 },
      { id: "b", nextAt: now + 5_000 },
    ];
    expect(decideNextLook(pending, 3, now)).toBe(now + 8_000);
  });

  it("is ever later while the queue does not take what is due", () => {
    const pending = [{ id: "a", nextAt: now }];
    const looks = [0, 1, 2, 50].map((tries) => (decideNextLook(pending, tries, now) ?? 0) - now);
    expect(looks).toEqual([10_000, 20_000, 40_000, 300_000]);
  });
});

it("keeps number and type of an event in the key", () => {
  expect(parseWebhookKey(webhookKey(7, "run.failed"))).toEqual({ seq: 7, type: "run.failed" });
  expect(parseWebhookKey("abort:7")).toBeNull();
  expect(parseWebhookKey("webhook:7:run.queued")).toBeNull();
});
