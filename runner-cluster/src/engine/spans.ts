import type { Claimed, Phase } from "@millrace/contracts";
import type { Span, Tracer } from "@millrace/telemetry";
import { ModelCallFailed } from "../models/model-failure.ts";
import type { Completion } from "../models/complete.ts";
import { findTool } from "../tools/toolsets.ts";
import type { RepoState } from "../repos/clone-repos.ts";
import { UserAwaited } from "./inbox.ts";
import { RunFailed } from "./run-failed.ts";
import type { Session } from "./session.ts";
import type { ToolCall } from "./step.ts";

/**
 * The spans of an attempt. Names and attributes with `gen_ai` are those of OpenTelemetry's semantic conventions:
 *
 *     attempt ── workspace ── clone …
 *        ├────── invoke_agent plan ── chat <model>, execute_tool <name> …
 *        ├────── invoke_agent build ── …
 *        └────── commit, push, archive
 *
 * None says what was asked, answered, read or written.
 */
export function attemptSpan(tracer: Tracer, { spec, attempt }: Claimed): Span {
  return tracer.span("attempt", spec.traceparent, {
    attributes: {
      "millrace.org.id": spec.orgId,
      "millrace.project.id": spec.projectId,
      "millrace.run.id": spec.runId,
      "millrace.attempt": attempt,
    },
  });
}

export function phaseSpan({ span, attempt }: Session, phase: Phase): Span {
  return span.child(`invoke_agent ${phase}`, {
    attributes: {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": phase,
      "gen_ai.conversation.id": attempt.claimed.spec.projectId,
    },
  });
}

/** One call; a repetition is a span of its own. */
export function modelSpan({ span, model, attempt }: Session): Span {
  const { hostname, port, protocol } = new URL(model.baseUrl);
  return span.child(`chat ${model.model}`, {
    kind: "client",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": providerNames[model.provider] ?? model.provider,
      "gen_ai.request.model": model.model,
      "gen_ai.conversation.id": attempt.claimed.spec.projectId,
      "server.address": hostname,
      "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
    },
  });
}

/** Where the conventions call a provider something else. */
const providerNames: Readonly<Record<string, string>> = {
  google: "gcp.gemini",
  mistral: "mistral_ai",
  xai: "x_ai",
};

/** Notes what is counted of the answer. */
export async function answered(span: Span, ask: () => Promise<Completion>): Promise<Completion> {
  const completion = await ask();
  const { finishReason, usage } = completion;
  span.set({
    "gen_ai.response.finish_reasons": [finishReason],
    "gen_ai.usage.input_tokens": usage.inputTokens ?? undefined,
    "gen_ai.usage.output_tokens": usage.outputTokens ?? undefined,
    "gen_ai.usage.cache_read.input_tokens": usage.cachedInputTokens ?? undefined,
  });
  return completion;
}

/** A name that is no tool's is the model's own invention, and may hold anything. */
export function toolSpan({ span, mcp }: Session, { name, callId }: ToolCall): Span {
  const everything = { phase: "build", interactive: true, remote: mcp.tools } as const;
  const known = findTool(everything, name) ? name : "unknown";
  return span.child(`execute_tool ${known}`, {
    attributes: {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": known,
      "gen_ai.tool.type": "function",
      "gen_ai.tool.call.id": callId,
    },
  });
}

/** A span for each repository from what is told of it; `repo` is its address without credentials. */
export function repoSpans(parent: Span): (state: RepoState) => void {
  const open = new Map<string, Span>();
  return ({ state, path, url }) => {
    if (state === "cloning") {
      const attributes = { "millrace.repo.url": url };
      open.set(path, parent.child("clone", { attributes }));
      return;
    }
    open.get(path)?.end(state === "failed" ? { error: "repository_failed" } : {});
    open.delete(path);
  };
}

/** The stable word for how a piece of work failed; undefined where it only pauses for its user. */
export function wordFor(error: unknown): string | undefined {
  if (error instanceof UserAwaited) return undefined;
  if (error instanceof RunFailed) return error.code;
  if (error instanceof ModelCallFailed) {
    const { failure } = error;
    return failure.kind === "refused" ? String(failure.status) : failure.kind;
  }
  return error instanceof Error ? error.name : "unknown";
}
