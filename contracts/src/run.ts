import { z } from "zod";
import { FailureCode } from "./errors.ts";
import { Usage } from "./event.ts";
import { OrgId, PoolName, ProjectId, RunId } from "./ids.ts";
import { Json } from "./json.ts";
import { ProviderName } from "./providers.ts";
import { Traceparent } from "./trace.ts";

/** The life of a run, as the run object keeps it. Dialects map it to their own words. */
export const RunStatus = z.enum([
  "queued",
  "dispatched",
  "running",
  "waiting",
  "cancelling",
  "succeeded",
  "failed",
  "cancelled",
]);
export type RunStatus = z.infer<typeof RunStatus>;

export const TerminalStatus = RunStatus.extract(["succeeded", "failed", "cancelled"]);
export type TerminalStatus = z.infer<typeof TerminalStatus>;

export function isOver(status: RunStatus): status is TerminalStatus {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

export const WorkspaceBackend = z.enum(["host", "e2b", "cluster"]);
export type WorkspaceBackend = z.infer<typeof WorkspaceBackend>;

/** The AgenticSession that a run came from. */
export const SessionRef = z.object({
  uid: z.uuid(),
  namespace: z.string().min(1).max(63),
  name: z.string().min(1).max(253),
});
export type SessionRef = z.infer<typeof SessionRef>;

/** A git repository that the workspace starts with, in a directory of its own. */
export const Repo = z.object({
  url: z.url({ protocol: /^(https|ssh|http)$/ }).max(2048),
  /** Null: the remote's default branch. */
  branch: z.string().min(1).max(255).nullable().default(null),
  autoPush: z.boolean().default(false),
});
export type Repo = z.infer<typeof Repo>;

/** What a run is asked to do. Written once, when the run object is initialised. */
export const RunSpec = z.object({
  orgId: OrgId,
  /** The thread: a `/v1` project. */
  projectId: ProjectId,
  runId: RunId,
  /** 1-based within the project. */
  runIndex: z.int().positive(),
  parentRunId: RunId.nullable(),
  kind: z.enum(["run", "message"]),
  prompt: z.string(),
  input: Json.nullable(),
  provider: ProviderName.nullable(),
  model: z.string().nullable(),
  workspaceBackend: WorkspaceBackend,
  pool: PoolName,
  maxAttempts: z.int().positive(),
  idempotencyKey: z.string(),
  createdAt: z.int(),
  /** Who asked for it: `key:<id>` of an API key, or a Kubernetes user. Recorded, never acted as. */
  owner: z.string().nullable().default(null),
  session: SessionRef.nullable().default(null),
  repos: z.array(Repo).max(20).default([]),
  /** Of a run with a session: its pod is made as the session wants it, so no warm one will do. */
  needsOwnPod: z.boolean().default(false),
  /** The model may ask its user, and the run waits for the answer. */
  interactive: z.boolean().default(false),
  /** The end of a turn is not the run's: it waits for the next message, until a user finishes it. */
  keepOpen: z.boolean().default(false),
  /** Bound on all attempts together; null: the runner's own. */
  timeoutSeconds: z
    .int()
    .positive()
    .max(7 * 86_400)
    .nullable()
    .default(null),
  /** How long it may wait for a runner; null: the platform's. */
  startDeadlineSeconds: z
    .int()
    .positive()
    .max(7 * 86_400)
    .nullable()
    .default(null),
  /** Where the spans of its execution belong (W3C). */
  traceparent: Traceparent.nullable().default(null),
});
export type RunSpec = z.infer<typeof RunSpec>;

/**
 * What a run waits for, and since when (Unix ms). `stopped`: to be resumed. `question`: an answer. `input`: the next message.
 * A run that was stopped while it waited for an answer still shows the question.
 */
export const RunWait = z.object({
  reason: z.enum(["stopped", "question", "input"]),
  question: z.string().nullable(),
  since: z.int(),
});
export type RunWait = z.infer<typeof RunWait>;

/** What a user said to a run, numbered from 1; null: nothing more, the run is to come to its end. */
export const RunInput = z.object({ n: z.int().positive(), content: z.string().nullable() });
export type RunInput = z.infer<typeof RunInput>;

export const ConversationMessage = z.object({
  role: z.enum(["user", "assistant"]),
  content: z.string(),
});
export type ConversationMessage = z.infer<typeof ConversationMessage>;

/**
 * The files of a project as its last finished run left them: a git tree in the snapshot repository and
 * the R2 key of a bundle that holds it.
 */
export const WorkspaceState = z.object({
  runId: RunId,
  runIndex: z.int(),
  tree: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  bundleKey: z.string(),
});
export type WorkspaceState = z.infer<typeof WorkspaceState>;

export const Cost = z.object({
  currency: z.string(),
  estimatedUsd: z.number(),
  pricingVersion: z.string(),
});
export type Cost = z.infer<typeof Cost>;

/** A stored zip of a run's workspace. */
export const ArchiveRecord = z.object({
  key: z.string(),
  sizeBytes: z.int(),
  fileCount: z.int(),
});
export type ArchiveRecord = z.infer<typeof ArchiveRecord>;

/** A run as the run object sees it now. `version` grows with every change: a later view has a larger one. */
export const RunView = z.object({
  spec: RunSpec,
  version: z.int(),
  status: RunStatus,
  /** A cancel was accepted: the outcome is, or will be, cancelled. */
  cancelled: z.boolean(),
  /** It was asked to pause, and its runner has not answered yet. */
  stopping: z.boolean().optional(),
  /** Set while the status is `waiting`. */
  waiting: RunWait.nullable().optional(),
  /** Of the time since its start, what the run has spent waiting. */
  waitedMs: z.int().nonnegative().optional(),
  attempt: z.int(),
  failures: z.int(),
  startedAt: z.int().nullable(),
  completedAt: z.int().nullable(),
  updatedAt: z.int(),
  output: z.string().nullable(),
  error: z
    .object({ code: FailureCode, error: z.string(), reason: z.string().optional() })
    .nullable(),
  usage: Usage.nullable(),
  cost: Cost.nullable(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  modelSource: z.enum(["request", "env", "default"]).nullable(),
  archive: ArchiveRecord.nullable(),
  /** Until when the archive of a cancelled run may still follow its end; null: none will. */
  archiveUntil: z.int().nullable(),
});
export type RunView = z.infer<typeof RunView>;
