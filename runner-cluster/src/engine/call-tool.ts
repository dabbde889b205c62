import { mapStrings, type Phase, type RunnerEvent } from "@millrace/contracts";
import { z } from "zod";
import { AttemptFenced, DrainRequested, LeaseLost } from "../attempt/attempt.ts";
import { askUser } from "../tools/ask-user.ts";
import { ToolRefusal, type ToolContext, type ToolResult } from "../tools/tool.ts";
import { cutTail, toolBounds } from "../tools/tool-bounds.ts";
import { findTool } from "../tools/toolsets.ts";
import { WorkspaceRefusal } from "../workspaces/workspace.ts";
import { lastHeard, nextInput, UserAwaited } from "./inbox.ts";
import { isDeeperThan } from "./is-deeper-than.ts";
import { begin, placeOf, type Session } from "./session.ts";
import { toolSpan } from "./spans.ts";
import type { EngineStep, ToolCall } from "./step.ts";
import { filesStates } from "./transcript.ts";

type Tool = NonNullable<ReturnType<typeof findTool>>;
type Json = z.core.util.JSONType;

/** How a call ended, as far as model and log are concerned. */
type CallEnd =
  | { readonly kind: "done"; readonly result: ToolResult }
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** It was running when it had to stop: something may have happened, or not. */
  | { readonly kind: "interrupted"; readonly reason: unknown };

const interruptedText =
  "This call was interrupted. It may have happened in part, in whole, or not at all: look before you repeat it.";

/** One call of the model on its way through a phase. */
interface Call extends ToolCall {
  readonly phase: Phase;
}

/**
 * Executes a tool call and records its result. Whatever the tool does, the model gets an answer; only a
 * stop of the whole run gets out of here as an exception.
 */
export async function callTool(session: Session, phase: Phase, asked: ToolCall): Promise<void> {
  const call: Call = { ...asked, phase };
  const parsed = parseCall(call, session);
  const started = startedEvent(call, parsed.input);
  const startedAt = session.services.clock.now();
  const span = toolSpan(session, call);
  if (!parsed.ok) {
    const { code, message } = parsed;
    span.end({ error: code });
    const finished = finishedEvent(call, { kind: "refused", code, message }, 0);
    return session.journal.record([started, finished], stepOf(call, `Error: ${message}`));
  }
  if (parsed.tool.name === askUser.name) {
    const { question } = askUser.schema.parse(parsed.args);
    await takeAnswer(session, call, { started, question });
    return span.end();
  }
  // What changes something is on record as started before it starts: a later attempt must not repeat it.
  if (parsed.tool.mutates) await session.journal.commit([started]);
  else session.journal.emit(started);
  const end = await run(session, call, parsed);
  span.end(end.kind === "done" ? {} : { error: errorOf(end).code });
  return recordEnd(session, call, { tool: parsed.tool, end, startedAt });
}

/** Records the answer to a call that a dead attempt started; its events were closed when it was fenced. */
export function recordInterrupted(session: Session, phase: Phase, call: ToolCall): Promise<void> {
  return session.journal.record([], stepOf({ ...call, phase }, interruptedText));
}

/** What is asked is recorded with its answer; until there is one, the run waits for it, and nothing of it is open. */
async function takeAnswer(
  session: Session,
  call: Call,
  asked: { readonly started: RunnerEvent; readonly question: string },
): Promise<void> {
  const { journal, redactor } = session;
  const next = nextInput(session);
  if (!next) throw new UserAwaited(asked.question, lastHeard(journal.steps));
  const content = next.content ?? unanswered;
  const result = { output: { answer: next.content }, content, events: [] };
  const finished = finishedEvent(call, { kind: "done", result }, 0);
  // A wish to finish is no answer: the end of the turn is to see it too.
  const heard = next.content === null ? {} : { heard: next.n };
  const step = { ...stepOf(call, redactor.known(content)), ...heard };
  await journal.record([asked.started, finished], step);
}

const unanswered =
  "Your user does not answer this and wants you to finish: decide, ask nothing more, and say what you decided.";

type ParsedCall =
  | { readonly ok: true; readonly tool: Tool; readonly args: unknown; readonly input: Json }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly input: Json };

function parseCall(call: Call, session: Session): ParsedCall {
  const json = parseJson(call.arguments);
  const input = json ?? call.arguments;
  const tool = findTool(placeOf(session, call.phase), call.name);
  if (!tool) return { ok: false, code: "unknown_tool", message: unknownTool(call, session), input };
  if (json === undefined) {
    const message =
      "The arguments are no usable JSON. Was the answer cut off? Ask for less at once.";
    return { ok: false, code: "invalid_arguments", message, input };
  }
  const args = tool.schema.safeParse(json);
  if (args.success) return { ok: true, tool, args: args.data, input };
  const message = `The arguments do not fit ${call.name}:\n${z.prettifyError(args.error)}`;
  return { ok: false, code: "invalid_arguments", message, input };
}

function unknownTool(call: Call, session: Session): string {
  if (call.phase === "plan" && findTool(placeOf(session, "build"), call.name)) {
    return `${call.name} does not exist while planning: nothing can be changed yet.`;
  }
  return `There is no tool ${call.name}.`;
}

/** No tool takes arguments that are nested deeper. */
const maxLevels = 64;

function parseJson(text: string): Json | undefined {
  try {
    // Models write nothing at all where a tool needs no arguments.
    const json = text.trim() === "" ? {} : (JSON.parse(text) as Json);
    return isDeeperThan(json, maxLevels) ? undefined : json;
  } catch {
    return undefined;
  }
}

async function run(
  session: Session,
  call: Call,
  parsed: { readonly tool: Tool; readonly args: unknown },
): Promise<CallEnd> {
  let signal = session.stop;
  try {
    signal = await begin(session);
    // The schema that made `args` is the tool's own, which a list of different tools cannot express.
    const result = await parsed.tool.execute(
      parsed.args as never,
      contextOf(session, call, signal),
    );
    return { kind: "done", result };
  } catch (error) {
    if (error instanceof AttemptFenced || error instanceof LeaseLost) {
      return { kind: "interrupted", reason: error };
    }
    if (signal.aborted) return { kind: "interrupted", reason: signal.reason };
    return refusalOf(error, session, call);
  }
}

function contextOf(session: Session, call: Call, signal: AbortSignal): ToolContext {
  const { workspace, services, journal, redactor } = session;
  return {
    workspace,
    callId: call.callId,
    phase: call.phase,
    signal,
    commandTimeoutMs: services.env.COMMAND_TIMEOUT_MS,
    emit: (event) => journal.emit(event),
    redactStream: () => redactor.stream(),
  };
}

function refusalOf(error: unknown, session: Session, call: Call): CallEnd {
  if (error instanceof ToolRefusal || error instanceof WorkspaceRefusal) {
    return { kind: "refused", code: error.code, message: error.message };
  }
  session.services.log.error("tool failed", { tool: call.name, callId: call.callId, error });
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "refused", code: "tool_failed", message: `The tool failed: ${message}` };
}

async function recordEnd(
  session: Session,
  call: Call,
  ran: { readonly tool: Tool; readonly end: CallEnd; readonly startedAt: number },
): Promise<void> {
  const { journal, services } = session;
  const { end } = ran;
  const finished = finishedEvent(call, end, services.clock.now() - ran.startedAt);
  const isStopped = end.kind === "interrupted" && !(end.reason instanceof LeaseLost);
  if (isStopped && !(end.reason instanceof DrainRequested)) {
    // Cancelled or out of time: the log is closed, the transcript has no reader any more.
    if (!(end.reason instanceof AttemptFenced)) journal.emit(finished);
    throw end.reason;
  }
  const changed = ran.tool.mutates && (end.kind !== "refused" || end.code === "tool_failed");
  const files = changed ? { files: await snapshot(session) } : {};
  const events = end.kind === "done" ? [...end.result.events, finished] : [finished];
  const content = session.redactor.known(contentOf(end));
  await journal.record(events, { ...stepOf(call, content), ...files });
  if (isStopped) throw end.reason;
}

function snapshot(session: Session) {
  const since = filesStates(session.journal.steps).at(-1)?.tree ?? null;
  return session.workspace.snapshot(since);
}

const stepOf = (call: Call, content: string): EngineStep & { readonly kind: "tool" } => ({
  kind: "tool",
  phase: call.phase,
  callId: call.callId,
  content,
});

function contentOf(end: CallEnd): string {
  switch (end.kind) {
    case "done":
      return end.result.content;
    case "refused":
      return `Error: ${end.message}`;
    case "interrupted":
      return interruptedText;
  }
}

function startedEvent(call: Call, asked: Json): RunnerEvent {
  const { callId, name, phase } = call;
  // A whole file may be in there; who wants it reads the file.
  const input = mapStrings(asked, (text) => cutTail(text, toolBounds.outputChars));
  return { type: "tool.started", data: { callId, name, phase, input } };
}

function finishedEvent(call: Call, end: CallEnd, durationMs: number): RunnerEvent {
  const { callId, name, phase } = call;
  const base = { callId, name, phase, durationMs };
  if (end.kind === "done") {
    return { type: "tool.finished", data: { ...base, ok: true, output: end.result.output } };
  }
  return { type: "tool.finished", data: { ...base, ok: false, error: errorOf(end) } };
}

function errorOf(end: Exclude<CallEnd, { readonly kind: "done" }>) {
  if (end.kind === "refused") return { code: end.code, message: end.message };
  const isCancel = end.reason instanceof Error && end.reason.name === "CancelRequested";
  if (isCancel) return { code: "cancelled", message: "The run was cancelled." };
  return {
    code: "interrupted",
    message: "The call was interrupted; it may have happened in part.",
  };
}
