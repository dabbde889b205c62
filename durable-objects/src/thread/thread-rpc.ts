import type { RunSpec, RunView, WorkspaceBackend } from "@millrace/contracts";
import type { Refusal, RunReport } from "../run/run-rpc.ts";
import type { OpenRunsLimit } from "./decide-create.ts";

/** A project as its thread knows it. Times are Unix ms. */
export interface ThreadProject {
  readonly id: string;
  readonly name: string;
  readonly latestRunId: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface NewRun {
  readonly runId: string;
  readonly kind: "run" | "message";
  readonly prompt: string;
  readonly input: unknown;
  readonly provider: string | null;
  readonly model: string | null;
  readonly workspaceBackend: WorkspaceBackend;
  readonly pool: string;
  readonly owner: string;
  readonly session?: RunSpec["session"];
  readonly repos?: RunSpec["repos"];
  readonly needsOwnPod?: boolean;
  readonly interactive?: boolean;
  readonly keepOpen?: boolean;
  readonly timeoutSeconds?: number | null;
  readonly startDeadlineSeconds?: number | null;
  readonly traceparent?: RunSpec["traceparent"];
  readonly idempotencyKey: string;
  /** SHA-256 over method, path and the canonical known fields. */
  readonly fingerprint: string;
  /** Whether the org has room for it; a repeat of a known request needs none. */
  readonly admitted: boolean;
  readonly now: number;
}

/** A run and its place in the thread. `view` may be older than the run object's own. */
export interface ThreadRun {
  readonly runId: string;
  readonly runIndex: number;
  readonly parentRunId: string | null;
  readonly writable: boolean;
  readonly view: RunView;
}

export interface ThreadMessage {
  readonly id: number;
  readonly runId: string;
  readonly role: "user" | "assistant";
  readonly content: string;
  readonly input: unknown;
  readonly createdAt: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
}

/** What the edge and runs may ask of a thread. */
export interface ThreadRpc {
  /** Creates the project, or answers the one that is there, unchanged. Written to the D1 registry before it answers. */
  open(
    orgId: string,
    projectId: string,
    name: string,
    now: number,
  ): Promise<{ readonly project: ThreadProject; readonly created: boolean }>;
  project(): Promise<
    ({ readonly ok: true } & { readonly project: ThreadProject }) | Refusal<"not_found">
  >;
  /** One transaction: idempotency, place in the thread, supersession, user message, outbox. Then the run is on its way. */
  createRun(
    run: NewRun,
  ): Promise<
    | { readonly ok: true; readonly run: ThreadRun; readonly created: boolean }
    | Refusal<"not_found" | "idempotency_mismatch" | OpenRunsLimit>
  >;
  /** Null: not a run of this thread. */
  run(runId: string): Promise<ThreadRun | null>;
  /** Newest first. */
  runs(limit: number, offset: number): Promise<Page<ThreadRun> | null>;
  /** Oldest first; null: not a run of this thread. */
  messages(runId: string, limit: number, offset: number): Promise<Page<ThreadMessage> | null>;
  /** From the run's outbox. A report already known, or an older one, changes nothing. */
  report(report: RunReport): Promise<void>;
}
