import { runPhase } from "./agent-loop.ts";
import { lastHeard, nextInput, UserAwaited } from "./inbox.ts";
import type { Session } from "./session.ts";
import { currentTurn, findStep } from "./transcript.ts";

/**
 * Carries out the plan; resolves with the answer for the user. A run that is kept open goes on with what the user says
 * then, turn by turn, until that is the wish to finish.
 */
export async function runBuild(session: Session): Promise<string> {
  const { journal, attempt } = session;
  for (;;) {
    const output = await runTurn(session);
    if (!attempt.claimed.spec.keepOpen) return output;
    const next = nextInput(session);
    if (!next) throw new UserAwaited(null, lastHeard(journal.steps));
    if (next.content === null) return output;
    await journal.record([{ type: "run.phase", data: { phase: "build", state: "started" } }], {
      kind: "turn",
      heard: next.n,
      content: next.content,
    });
  }
}

async function runTurn(session: Session): Promise<string> {
  const { journal } = session;
  const built = findStep(currentTurn(journal.steps), "built");
  if (built) return built.output;
  const output = await runPhase(session, "build");
  await journal.record([{ type: "run.phase", data: { phase: "build", state: "completed" } }], {
    kind: "built",
    output,
  });
  return output;
}
