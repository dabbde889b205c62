import { runPhase } from "./agent-loop.ts";
import { parsePlan } from "./parse-plan.ts";
import type { Session } from "./session.ts";
import { planOf } from "./transcript.ts";

/** Brings the run to the point where it has a plan. Reads only: nothing that changes anything exists here. */
export async function runPlan(session: Session): Promise<void> {
  const { journal, attempt } = session;
  if (planOf(journal.steps)) return;
  const answer = await runPhase(session, "plan");
  const plan = parsePlan(answer, attempt.claimed.spec.prompt);
  await journal.record(
    [
      { type: "run.phase", data: { phase: "plan", state: "completed" } },
      { type: "run.plan", data: { phase: "plan", ...plan } },
      { type: "run.phase", data: { phase: "build", state: "transition", from: "plan" } },
      { type: "run.phase", data: { phase: "build", state: "started" } },
    ],
    { kind: "planned", plan },
  );
}
