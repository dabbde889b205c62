import { runPhase } from "./agent-loop.ts";
import type { Session } from "./session.ts";
import { findStep } from "./transcript.ts";

/** Carries out the plan; resolves with the answer for the user. */
export async function runBuild(session: Session): Promise<string> {
  const { journal } = session;
  const built = findStep(journal.steps, "built");
  if (built) return built.output;
  const output = await runPhase(session, "build");
  await journal.record([{ type: "run.phase", data: { phase: "build", state: "completed" } }], {
    kind: "built",
    output,
  });
  return output;
}
