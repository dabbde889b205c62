import { expect, it } from "vitest";
import { decideOffer, type OfferState } from "./decide-offer.ts";

const idle: OfferState = { draining: false, servedOrg: undefined, executing: undefined, free: 1 };
const offer = { orgId: "a", attempt: 2 };

it.each<{ name: string; state: Partial<OfferState>; decision: string }>([
  { name: "free", state: {}, decision: "accept" },
  { name: "the org served before", state: { servedOrg: "a" }, decision: "accept" },
  { name: "another org", state: { servedOrg: "b" }, decision: "other_org" },
  { name: "no slot", state: { free: 0 }, decision: "full" },
  { name: "draining", state: { draining: true }, decision: "draining" },
  { name: "an earlier attempt at work", state: { executing: 1 }, decision: "already_running" },
  { name: "the same attempt again", state: { executing: 2, free: 0 }, decision: "accepted_before" },
  { name: "again, draining", state: { executing: 2, draining: true }, decision: "accepted_before" },
])("$name: $decision", ({ state, decision }) => {
  const decided = decideOffer(offer, { ...idle, ...state });
  expect(decided.kind === "decline" ? decided.reason : decided.kind).toBe(decision);
});
