import { setTimeout as sleep } from "node:timers/promises";
import type { Phase } from "@millrace/contracts";
import { within } from "@millrace/telemetry";
import { LeaseLost } from "../attempt/attempt.ts";
import { complete, type Completion } from "../models/complete.ts";
import { decideRetry } from "../models/decide-retry.ts";
import { ModelCallFailed } from "../models/model-failure.ts";
import type { ModelToolCall } from "../models/tool-call-assembler.ts";
import { describeTools } from "../tools/toolsets.ts";
import { MessageWriter } from "./message-writer.ts";
import { openingMessages, systemPrompt } from "./prompts.ts";
import { RunFailed } from "./run-failed.ts";
import { answered, modelSpan, wordFor } from "./spans.ts";
import { begin, placeOf, type Session } from "./session.ts";
import type { ToolCall } from "./step.ts";
import { phaseMessages, planOf, usedCallIds } from "./transcript.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** Asks the model for its next answer and records it, calling again for as long as that can help. */
export async function callModel(session: Session, phase: Phase): Promise<void> {
  let tries = 0;
  for (;;) {
    const signal = await begin(session);
    const writer = new MessageWriter(session.journal, session.redactor, phase);
    try {
      const ask = () => stream(session, phase, { writer, signal });
      const completion = await within(modelSpan(session), (span) => answered(span, ask), wordFor);
      return await recordAnswer(session, phase, { writer, completion });
    } catch (error) {
      writer.interrupt();
      if (signal.aborted && signal.reason instanceof LeaseLost) continue;
      session.stop.throwIfAborted();
      if (!(error instanceof ModelCallFailed)) throw error;
      tries += 1;
      await pauseBeforeRetry(session, error, tries);
    }
  }
}

interface Call {
  readonly writer: MessageWriter;
  readonly signal: AbortSignal;
}

function stream(session: Session, phase: Phase, call: Call): Promise<Completion> {
  const { services, attempt, journal } = session;
  const { writer, signal } = call;
  const place = placeOf(session, phase);
  return complete({
    model: session.model,
    messages: [
      { role: "system", content: systemPrompt(place, session) },
      ...openingMessages(phase, attempt.claimed, planOf(journal.steps)),
      ...phaseMessages(journal.steps, phase),
    ],
    tools: describeTools(place),
    signal,
    silenceMs: services.env.MODEL_SILENCE_MS,
    fetch: services.fetch,
    onText: (text) => writer.write("text", text),
    onReasoning: (text) => writer.write("reasoning", text),
    room: () => unlessAborted(attempt.room(), signal),
  });
}

async function recordAnswer(
  session: Session,
  phase: Phase,
  answer: { readonly writer: MessageWriter; readonly completion: Completion },
): Promise<void> {
  const { journal, redactor, model } = session;
  const { text, toolCalls, usage } = answer.completion;
  const data = { ...usage, provider: model.provider, model: model.model };
  await journal.record([...answer.writer.close(), { type: "usage", data }], {
    kind: "assistant",
    phase,
    text: redactor.known(text),
    calls: nameCalls(toolCalls, usedCallIds(journal.steps)).map((call) => ({
      ...call,
      arguments: redactor.known(call.arguments),
    })),
  });
}

/** What providers allow; a longer one is no tool's. */
const maxNameChars = 64;

/**
 * Gives every call an id that is unique in the run, keeping the provider's where it is: some count
 * `call_0` anew in each answer, some send none. Nine letters and digits is what all of them accept back.
 */
function nameCalls(calls: readonly ModelToolCall[], used: ReadonlySet<string>): ToolCall[] {
  const taken = new Set(used);
  return calls.map((call) => {
    const isUsable = /^[\w-]{1,64}$/.test(call.id) && !taken.has(call.id);
    const callId = isUsable ? call.id : crypto.randomUUID().replaceAll("-", "").slice(0, 9);
    taken.add(callId);
    const extra = call.extra === undefined ? {} : { extra: call.extra as ToolCall["extra"] };
    const name = call.name.slice(0, maxNameChars);
    return { callId, name, arguments: call.arguments, ...extra };
  });
}

async function pauseBeforeRetry(
  session: Session,
  failed: ModelCallFailed,
  tries: number,
): Promise<void> {
  const { services, model, journal } = session;
  const decision = decideRetry(failed.failure, {
    tries,
    provider: model.provider,
    random: services.clock.random(),
  });
  if (decision.kind === "fail") {
    const { code, error, retryable } = decision;
    throw new RunFailed(code, error, { cause: failed, retryable });
  }
  const { error, backoffMs } = decision;
  services.log.warn("model call failed, calling again", { error, backoffMs, tries });
  journal.emit({ type: "model.retrying", data: { error, backoffMs, retry: tries } });
  await unlessAborted(sleep(backoffMs, undefined, { ref: false }), session.stop);
}
