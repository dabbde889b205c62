import type { SessionMessage } from "@millrace/contracts";
import { settle } from "../edge/edge-answer.ts";
import type { ApplyTools, Outcome } from "./apply.ts";
import type { Facts } from "./facts.ts";
import { actorOf } from "./actor-of.ts";

/** Refusals that pass: the run has not asked yet, or has not come to what it was told before. */
const passing: ReadonlySet<string> = new Set(["not_waiting", "too_many"]);

/** Each is kept once by the platform, under its id: an operator that dies here sends it again. */
export async function sendMessages(
  { session }: Facts,
  { runId, messages }: { readonly runId: string; readonly messages: readonly SessionMessage[] },
  { edge, recorder, sawRun }: ApplyTools,
): Promise<Outcome> {
  const sent: string[] = [];
  for (const { id, content = null } of messages) {
    const key = `session:${session.metadata.uid}/${id}`;
    const said = { by: actorOf(session), key, content };
    const answer = settle(await edge.sendInput(runId, said), "send the message");
    if (!answer) break;
    sawRun(answer.run);
    if (answer.refused !== null && passing.has(answer.refused)) break;
    sent.push(id);
    if (answer.refused === null) continue;
    const note = `Message ${id} is not taken: ${answer.refused}`;
    recorder.record(session, { type: "Warning", action: "Send", reason: "MessageRefused", note });
  }
  return { sent };
}
