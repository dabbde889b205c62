import { makeRedactor, type Outcome, type Redactor, type RunnerEvent } from "@millrace/contracts";
import { within, type Span } from "@millrace/telemetry";
import { z } from "zod";
import {
  AttemptFenced,
  CancelRequested,
  DrainRequested,
  type Attempt,
} from "../attempt/attempt.ts";
import type { Logger } from "../log.ts";
import { McpServerFailed } from "../mcp/mcp-server.ts";
import { noMcpTools, openMcpServers, type McpTools } from "../mcp/open-mcp-servers.ts";
import { secretsOf } from "../models/provider-env.ts";
import { resolveModel, type ResolvedModel } from "../models/resolve-model.ts";
import { RepositoryFailed, type RepoState } from "../repos/clone-repos.ts";
import { WorkspaceRefusal, type Workspace } from "../workspaces/workspace.ts";
import { runBuild } from "./build.ts";
import type { EngineServices } from "./engine-services.ts";
import { Finish } from "./finish.ts";
import { UserAwaited } from "./inbox.ts";
import { Journal } from "./journal.ts";
import { begun, opening } from "./opening.ts";
import { runPlan } from "./plan.ts";
import { RunFailed } from "./run-failed.ts";
import type { Session } from "./session.ts";
import { attemptSpan, repoSpans, wordFor } from "./spans.ts";
import { filesStates, findStep } from "./transcript.ts";
import { EngineStep } from "./step.ts";
import { unlessAborted } from "./unless-aborted.ts";

/**
 * Executes an attempt from wherever the earlier ones left it to its outcome:
 *
 *     open workspace → plan → build → commit → store state and archive → outcome
 *
 * Resolves when the outcome is durable and the workspace is given back. Never rejects.
 */
export async function execute(attempt: Attempt, services: EngineServices): Promise<void> {
  const { spec } = attempt.claimed;
  const log = services.log.with({ runId: spec.runId, attempt: attempt.claimed.attempt });
  const steps = z.array(EngineStep).safeParse(attempt.steps);
  try {
    if (!steps.success) return await refuseCheckpoint(attempt, log, steps.error);
    await new Execution(attempt, steps.data, { ...services, log }).run();
  } catch (error) {
    if (error instanceof AttemptFenced) return log.info("attempt fenced, nothing more is written");
    log.error("attempt ended without an outcome", { error });
  }
}

/** Steps that this version cannot read: another try would read the same. */
function refuseCheckpoint(attempt: Attempt, log: Logger, error: unknown): Promise<void> {
  log.error("checkpoint unreadable", { error });
  const message = "This runner cannot read the run's checkpoint.";
  return attempt.finish({ kind: "failed", code: "runner_error", error: message, retryable: false });
}

class Execution {
  readonly #attempt: Attempt;
  readonly #services: EngineServices;
  readonly #log: Logger;
  readonly #redactor: Redactor;
  readonly #journal: Journal;
  readonly #span: Span;
  readonly #deadline = new AbortController();
  /** Aborts when the attempt has failed: what it still waits for is not needed. */
  readonly #failed = new AbortController();
  readonly #stop: AbortSignal;
  #opening: Promise<Workspace> | undefined;
  #mcp: Promise<McpTools> | undefined;
  #finish: Finish | undefined;
  #model: ResolvedModel | undefined;
  /** How the attempt failed, in a word. */
  #error: string | undefined;

  constructor(attempt: Attempt, steps: readonly EngineStep[], services: EngineServices) {
    this.#attempt = attempt;
    this.#services = services;
    this.#log = services.log;
    this.#redactor = makeRedactor([...secretsOf(services.providers), ...services.secrets]);
    this.#journal = new Journal(attempt, steps, this.#redactor);
    this.#span = attemptSpan(services.tracer, attempt.claimed);
    this.#stop = AbortSignal.any([attempt.signal, this.#deadline.signal]);
  }

  async run(): Promise<void> {
    const timer = this.#startDeadline();
    try {
      const output = await this.#carryOut();
      await this.#finishWith({ kind: "succeeded", output }, this.#modelEvents());
    } catch (error) {
      await this.#conclude(error);
    } finally {
      clearTimeout(timer);
      await this.#release();
      this.#span.end(this.#error === undefined ? {} : { error: this.#error });
    }
  }

  async #finishWith(outcome: Outcome, events: readonly RunnerEvent[]): Promise<void> {
    await this.#journal.finish(outcome, events);
    this.#span.set({ "millrace.outcome": outcome.kind });
    if (outcome.kind === "failed") this.#error = outcome.code;
  }

  /** The bound on a run counts all its attempts, and the time between them. */
  #startDeadline(): NodeJS.Timeout {
    const { elapsedMs, spec } = this.#attempt.claimed;
    const ownMs = spec.timeoutSeconds === null ? Infinity : spec.timeoutSeconds * 1000;
    const timeoutMs = Math.min(this.#services.env.RUN_TIMEOUT_MS, ownMs);
    const leftMs = timeoutMs - elapsedMs;
    const failed = new RunFailed(
      "run_timeout",
      `The run took longer than ${Math.round(timeoutMs / 1000)} s.`,
      { retryable: false },
    );
    return setTimeout(() => this.#deadline.abort(failed), Math.max(0, leftMs));
  }

  async #carryOut(): Promise<string> {
    this.#stop.throwIfAborted();
    const session = await this.#open();
    await runPlan(session);
    const output = await runBuild(session);
    if (this.#finish) await unlessAborted(this.#finish.checkpointed(), this.#stop);
    return output;
  }

  async #open(): Promise<Session> {
    const announced = this.#announce();
    const open = (span: Span) => this.#openWorkspace(span);
    this.#opening = within(this.#span.child("workspace"), open, wordFor);
    this.#mcp = this.#openMcp();
    const parts = Promise.all([this.#opening, this.#mcp, announced]);
    const [workspace, mcp] = await unlessAborted(parts, this.#stop);
    const { cloned } = workspace.opened;
    if (cloned && !findStep(this.#journal.steps, "cloned")) {
      const files = { tree: cloned.tree, pack: null };
      await this.#journal.record([], { kind: "cloned", repos: [...cloned.repos], files });
    }
    this.#journal.emit({ type: "workspace.ready", data: readyData(workspace) });
    return {
      attempt: this.#attempt,
      services: this.#services,
      journal: this.#journal,
      redactor: this.#redactor,
      workspace,
      mcp,
      model: this.#resolve(),
      span: this.#span,
      stop: this.#stop,
    };
  }

  /** Most often the claim has brought it along. */
  async #announce(): Promise<void> {
    if (findStep(this.#journal.steps, "begun")) return;
    await this.#journal.record(opening.events, begun);
  }

  async #openWorkspace(span: Span): Promise<Workspace> {
    const { claimed } = this.#attempt;
    const { spec } = claimed;
    const { projectId, runId, runIndex } = spec;
    const trace = repoSpans(span);
    const start = {
      projectId,
      runId,
      runIndex,
      attempt: claimed.attempt,
      base: claimed.workspace,
      steps: filesStates(this.#journal.steps),
      repos: {
        wanted: spec.repos,
        recorded: findStep(this.#journal.steps, "cloned")?.repos ?? null,
        onState: (data: RepoState) => {
          trace(data);
          this.#journal.emit({ type: "workspace.repo", data });
        },
        signal: this.#stop,
      },
    };
    const workspace = await this.#services.openWorkspace(start, this.#attempt);
    const by = { journal: this.#journal, log: this.#log, stop: this.#stop, span: this.#span };
    this.#finish = new Finish({ workspace, spec, ...by });
    return workspace;
  }

  #openMcp(): Promise<McpTools> {
    const { mcpServers, fetch } = this.#services;
    if (mcpServers.length === 0) return Promise.resolve(noMcpTools);
    return openMcpServers(mcpServers, {
      fetch,
      onState: (data) => this.#journal.emit({ type: "mcp.server", data }),
      signal: AbortSignal.any([this.#stop, this.#failed.signal]),
    });
  }

  #resolve(): ResolvedModel {
    const resolution = resolveModel(this.#attempt.claimed.spec, this.#services.providers);
    if (!resolution.ok) {
      throw new RunFailed("provider_rejected", resolution.error, { retryable: false });
    }
    this.#model = resolution.resolved;
    return resolution.resolved;
  }

  #modelEvents(): readonly RunnerEvent[] {
    if (!this.#model) return [];
    const { provider, model, source } = this.#model;
    return [{ type: "model.resolved", data: { provider, model, source } }];
  }

  async #conclude(thrown: unknown): Promise<void> {
    this.#failed.abort();
    // What an aborted piece of work throws is up to it; why it was aborted is what counts.
    const isAborted = this.#stop.aborted && !(thrown instanceof AttemptFenced);
    const error: unknown = isAborted ? this.#stop.reason : thrown;
    try {
      await this.#end(error);
    } catch (later) {
      // A cancel or drain that comes while a failure is being put away takes precedence over it.
      if (later === error || !isStop(later)) throw later;
      await this.#end(later);
    }
  }

  async #end(error: unknown): Promise<void> {
    if (error instanceof AttemptFenced) {
      this.#error = error.name;
      throw error;
    }
    if (error instanceof CancelRequested) return this.#endCancelled();
    if (error instanceof DrainRequested) {
      return this.#finishWith({ kind: "released", reason: error.because }, []);
    }
    if (error instanceof UserAwaited) {
      const { question, heard } = error;
      return this.#finishWith({ kind: "awaiting", question, heard }, []);
    }
    const failed = this.#toFailure(error);
    const { failures, spec } = this.#attempt.claimed;
    const isLast = !failed.retryable || failures + 1 >= spec.maxAttempts;
    if (isLast) await unlessAborted(this.#putAway(), this.#attempt.signal);
    const { code, message, retryable } = failed;
    const outcome: Outcome = { kind: "failed", code, error: message, retryable };
    await this.#finishWith(outcome, isLast ? this.#modelEvents() : []);
  }

  /** The user does not wait for the archive: it follows the terminal event. */
  async #endCancelled(): Promise<void> {
    await this.#finishWith({ kind: "cancelled" }, this.#modelEvents());
    await this.#opening?.catch(() => undefined);
    await this.#finish?.silently();
  }

  async #putAway(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#finish?.reported();
  }

  #toFailure(error: unknown): RunFailed {
    if (error instanceof RunFailed) return error;
    if (error instanceof RepositoryFailed) {
      const { message } = error;
      return new RunFailed("repository_failed", message, { cause: error, retryable: true });
    }
    if (error instanceof McpServerFailed) {
      const { message, retryable } = error;
      return new RunFailed("mcp_server_failed", message, { cause: error, retryable });
    }
    if (error instanceof WorkspaceRefusal) {
      const message = `The workspace could not be opened: ${error.message}`;
      return new RunFailed("workspace_unavailable", message, { cause: error, retryable: true });
    }
    this.#log.error("attempt failed", { error });
    // What an unexpected error says is for the log, not for a user.
    const message = "The runner failed unexpectedly.";
    return new RunFailed("runner_error", message, { cause: error, retryable: true });
  }

  async #release(): Promise<void> {
    await (await this.#mcp?.catch(() => undefined))?.close();
    const workspace = await this.#opening?.catch(() => undefined);
    await this.#finish?.settled();
    await workspace?.release();
  }
}

const isStop = (error: unknown): boolean =>
  error instanceof CancelRequested ||
  error instanceof DrainRequested ||
  error instanceof AttemptFenced;

function readyData(workspace: Workspace) {
  const { restored, missing, isolated } = workspace.opened;
  return { restored, missing: [...missing], isolated };
}
