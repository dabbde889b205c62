import type { Opening } from "@millrace/contracts";
import type { EngineStep } from "./step.ts";

export const begun: EngineStep = { kind: "begun" };

/** What the engine says first of a run, before it prepares anything: whoever watches sees at once that work has begun. */
export const opening: Opening = {
  events: [{ type: "run.phase", data: { phase: "plan", state: "started" } }],
  step: { n: 1, body: JSON.stringify(begun) },
};
