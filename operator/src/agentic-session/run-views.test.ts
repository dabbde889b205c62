import { describe, expect, it } from "vitest";
import { RunViews } from "./run-views.ts";
import { makeRun, makeSession } from "./testing/make-facts.ts";

describe("what is known of runs", () => {
  it("does not grow with sessions that have gone", () => {
    const runs = new RunViews(() => undefined);
    const session = makeSession({});
    const { uid } = session.metadata;
    const here = { size: 1, values: () => [session] };
    runs.confirm(`${uid}/1/ended`);
    const told = 5000;
    for (let i = 0; i < told; i += 1) {
      runs.put(
        makeRun({ runId: `late-${i}`, session: { uid: `gone-${i}`, namespace: "n", name: "s" } }),
      );
      runs.confirm(`refused-${i}/1/start_failed`);
      runs.sweep(here);
    }
    const left = Array.from({ length: told }, (_, i) => i).filter(
      (i) => runs.get(`late-${i}`) ?? runs.confirmed(`refused-${i}`).size > 0,
    );
    expect(left.length).toBeLessThan(1000);
    expect([...runs.confirmed(uid)]).toEqual([`${uid}/1/ended`]);
  });
});
