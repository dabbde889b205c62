import * as fc from "fast-check";
import { it } from "vitest";

/** The same cases at every run of the suite; another number looks at others. */
const seed = 20_261_121;
const numRuns = 400;

/** A property as a test. The seed stands in its name; a failure prints the smallest input that breaks it. */
export function property<Input>(
  name: string,
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => void,
): void {
  // oxlint-disable-next-line vitest/expect-expect -- the check expects
  it(`${name} (seed ${seed})`, () => {
    fc.assert(fc.property(inputs, check), { seed, numRuns });
  });
}
