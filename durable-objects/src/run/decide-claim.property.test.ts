import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { stages, stateIn } from "../testing/run-state.ts";
import { decideClaim, type Claim } from "./decide-claim.ts";
import { decideDispatch } from "./decide-dispatch.ts";
import { decideOutcome } from "./decide-outcome.ts";
import { nothingInterrupted } from "./open-constructs.ts";
import { runnerOf, type RunState } from "./state.ts";

type Input =
  | { readonly kind: "claim"; readonly runnerId: string; readonly attempt: number }
  /** The attempt is given up and the next one dispatched. */
  | { readonly kind: "again" };

const inputs: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      runnerId: fc.constantFrom("a", "b", "c"),
      attempt: fc.integer({ min: 0, max: 4 }),
    }),
  },
  fc.constant<Input>({ kind: "again" }),
);

const claimOf = ({ runnerId, attempt }: { runnerId: string; attempt: number }): Claim => ({
  runnerId,
  attempt,
  maxAttempts: 3,
  nextSeq: 5,
  now: 7,
});

function again(state: RunState): RunState {
  if (runnerOf(state.stage) === null) return state;
  const end = { kind: "released", reason: "drain" } as const;
  const ended = { end, maxAttempts: 3, lateArchiveMs: 0, now: 8, jitter: 0 };
  const released = decideOutcome(state, { ...ended, interrupted: nothingInterrupted }).state;
  return decideDispatch(released, 9)?.state ?? released;
}

const stageNow = fc.constantFrom(...Object.values(stages));

describe("decideClaim, whoever claims what", () => {
  property("gives an attempt to one runner at most", fc.array(inputs), (script) => {
    const holders = new Map<number, string>();
    let state = stateIn(stages.dispatched);
    for (const input of script) {
      if (input.kind === "again") {
        state = again(state);
        continue;
      }
      const decision = decideClaim(state, claimOf(input));
      if (decision.kind === "refused") continue;
      expect(input.attempt).toBe(state.attempt);
      const holder = holders.get(input.attempt);
      expect(decision.kind).toBe(holder === undefined ? "first" : "again");
      expect(holder ?? input.runnerId).toBe(input.runnerId);
      holders.set(input.attempt, input.runnerId);
      if (decision.kind === "first") state = decision.change.state;
    }
  });

  property("answers a repeated claim, and changes nothing by it", fc.array(inputs), (script) => {
    let state = stateIn(stages.dispatched);
    for (const input of script) {
      if (input.kind === "again") {
        state = again(state);
        continue;
      }
      const first = decideClaim(state, claimOf(input));
      if (first.kind === "first") state = first.change.state;
      const repeat = decideClaim(state, claimOf(input));
      expect(repeat).toEqual(first.kind === "first" ? { kind: "again" } : first);
    }
  });

  property(
    "takes a run only from dispatched, and says why not",
    fc.record({ stage: stageNow, attempt: fc.integer({ min: 0, max: 2 }) }),
    ({ stage, attempt }) => {
      const decision = decideClaim(stateIn(stage), claimOf({ runnerId: "r2", attempt }));
      if (stage.kind === "over") expect(decision).toMatchObject({ code: "run_over" });
      else if (attempt !== 1) expect(decision).toMatchObject({ code: "fenced" });
      else if (runnerOf(stage) !== null) expect(decision).toMatchObject({ code: "lease_held" });
      else expect(decision.kind === "first").toBe(stage.kind === "dispatched");
    },
  );
});
