import { z } from "zod";
import { ErrorCode } from "../errors.ts";
import { Usage } from "../event.ts";
import { PoolName, ProjectId, RunId } from "../ids.ts";
import { Json, StoredJson } from "../json.ts";
import { limits } from "../limits.ts";
import { ProviderName, providerAliases, providerNames } from "../providers.ts";
import { Cost, WorkspaceBackend } from "../run.ts";
import { RunSnapshot as CanonicalSnapshot } from "../run-snapshot.ts";
import { WebhookEvent } from "../webhook.ts";
import { RunWaiting, turnOptions } from "./v1-run-input.ts";
import { WebhookTarget } from "./v1-webhooks.ts";

export { RunInputTaken } from "./v1-run-input.ts";

/** The `/v1` coding-agent dialect: what its clients send and receive. */

export const Meta = z.object({ apiVersion: z.literal("v1"), ts: z.iso.datetime() });
export const PageMeta = Meta.extend({
  total: z.int().nonnegative(),
  /** Path and query of the next page, or null on the last. */
  next: z.string().nullable(),
});

/** Failure in every place and for every cause. `code` and `message` stand at the top as well, for old clients. */
export const Problem = z
  .object({
    ok: z.literal(false),
    error: z.object({ code: ErrorCode, message: z.string(), details: Json.optional() }),
    code: ErrorCode,
    message: z.string(),
    meta: Meta,
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;

export const envelope = <T extends z.ZodType>(data: T) =>
  z.object({ ok: z.literal(true), data, meta: Meta });
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ ok: z.literal(true), data: z.array(item), meta: PageMeta });

export const V1Status = z.enum(["queued", "running", "completed", "error", "cancelled"]);
export type V1Status = z.infer<typeof V1Status>;

/** Half a surrogate pair is no text: stores and providers would each make something else of it. */
const Text = z.string().overwrite((text) => text.toWellFormed());

const Prompt = Text.max(limits.promptMaxChars)
  .refine((text) => text.trim().length > 0, "must not be blank")
  .meta({ minLength: 1 });

/** Trimmed, lower case, aliases resolved. */
const Provider = z
  .string()
  .trim()
  .toLowerCase()
  .transform((name) => providerAliases[name] ?? name)
  .pipe(ProviderName)
  .describe(`One of ${providerNames.join(", ")}, or an alias of one; case does not matter.`);

const Backend = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(WorkspaceBackend)
  .describe(`One of ${WorkspaceBackend.options.join(", ")}; case does not matter.`);

const runOptions = {
  input: StoredJson.optional().describe(
    "Additional JSON that the model is given beside the prompt.",
  ),
  stream: z.boolean().nullish().describe("Answer with the event stream itself."),
  provider: Provider.nullish(),
  model: z.string().trim().min(1).max(200).nullish(),
  workspaceBackend: Backend.nullish().describe(
    `One of ${WorkspaceBackend.options.join(", ")}; case does not matter. As the pool says when it is left out.`,
  ),
  pool: PoolName.nullish().describe("Whose runners or cluster execute it; `default` if left out."),
  ...turnOptions,
  webhook: WebhookTarget.nullish().describe("Told of this run, beside the project's webhooks."),
};
export const RunCreate = z.object({ prompt: Prompt, ...runOptions }).meta({ id: "RunCreate" });
export type RunCreate = z.infer<typeof RunCreate>;
export const MessageCreate = z
  .object({ content: Prompt, ...runOptions })
  .meta({ id: "MessageCreate" });
export type MessageCreate = z.infer<typeof MessageCreate>;

export const ProjectCreate = z
  .object({
    id: ProjectId.nullish().describe("A UUID when it is left out."),
    name: Text.trim().min(1).max(200).nullish().describe("The id when it is left out."),
  })
  .meta({ id: "ProjectCreate" });
export type ProjectCreate = z.infer<typeof ProjectCreate>;

const project = {
  id: ProjectId,
  name: z.string(),
  latestRunId: RunId.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};
export const Project = z.object(project).meta({ id: "Project" });
export type Project = z.infer<typeof Project>;
export const ProjectCreated = z
  .object({ ...project, created: z.boolean() })
  .meta({ id: "ProjectCreated" });
export type ProjectCreated = z.infer<typeof ProjectCreated>;

export const RunCreated = z
  .object({
    id: RunId,
    projectId: ProjectId,
    status: V1Status,
    runIndex: z.int(),
    writable: z.boolean(),
    parentRunId: RunId.nullable(),
    /** False: the key had been used for the same request, and this is its run. */
    created: z.boolean(),
  })
  .meta({ id: "RunCreated" });
export type RunCreated = z.infer<typeof RunCreated>;

export const MessageCreated = z
  .object({
    run: RunCreated,
    message: z.object({
      role: z.literal("user"),
      content: z.string(),
      createdAt: z.iso.datetime(),
    }),
  })
  .meta({ id: "MessageCreated" });
export type MessageCreated = z.infer<typeof MessageCreated>;

export const RunSummary = z
  .object({
    id: RunId,
    projectId: ProjectId,
    runIndex: z.int(),
    writable: z.boolean(),
    parentRunId: RunId.nullable(),
    status: V1Status,
    waiting: RunWaiting.nullable().describe(
      "Set while it waits for somebody; its status is `queued`.",
    ),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    completedAt: z.iso.datetime().nullable(),
    updatedAt: z.iso.datetime(),
    prompt: z.string(),
    input: Json.nullable(),
    output: z.string().nullable(),
    error: z.string().nullable(),
    durationMs: z.int().nullable(),
    usage: Usage.nullable(),
    cost: Cost.nullable(),
    meta: z.object({
      provider: z.string().nullable(),
      model: z.string().nullable(),
      modelSource: z.enum(["request", "env", "default"]).nullable(),
      usageSource: z.literal("response_usage").nullable(),
      pricingSource: z.literal("model_pricing_table").nullable(),
      attempt: z.int(),
      maxAttempts: z.int(),
      sandboxId: z.string().nullable(),
      workspaceBackend: WorkspaceBackend,
      pool: PoolName,
      owner: z.string().nullable().describe("Who asked for it: `key:<id>`, or a Kubernetes user."),
      idempotencyKey: z.string(),
      errorCode: z.string().nullable(),
      errorReason: z.string().nullable().describe("Of `session_failed`: the cluster's word."),
    }),
  })
  .meta({ id: "RunSummary" });
export type RunSummary = z.infer<typeof RunSummary>;

/** A run as it was when event `at` had happened: with it, a late client needs only the events after `at`. */
export const RunSnapshot = CanonicalSnapshot.extend({
  state: CanonicalSnapshot.shape.state.extend({ status: V1Status }),
}).meta({ id: "RunSnapshot" });

/** What a webhook receives, in the shape of Standard Webhooks. */
export const WebhookPayload = z
  .object({
    type: WebhookEvent,
    /** When it happened; tries differ in their `webhook-timestamp` header. */
    timestamp: z.iso.datetime(),
    data: z.object({
      seq: z.int().positive().describe("The event's number in the run."),
      run: RunSummary.describe("The run as it is when this is sent."),
    }),
  })
  .meta({ id: "WebhookPayload" });
export type WebhookPayload = z.infer<typeof WebhookPayload>;

export const Message = z
  .object({
    id: z.int(),
    projectId: ProjectId,
    runId: RunId,
    role: z.enum(["user", "assistant"]),
    content: z.string(),
    input: Json.nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Message" });
export type Message = z.infer<typeof Message>;

export const RunCancelled = z
  .object({
    id: RunId,
    projectId: ProjectId,
    status: V1Status,
    /** The outcome is, or will be, cancelled, whatever the runner still reports. */
    cancelled: z.boolean(),
    writable: z.boolean(),
  })
  .meta({ id: "RunCancelled" });

/** The kept log of one container of a session. */
export const SessionLog = z
  .object({
    attempt: z.int().positive(),
    container: z.string(),
    sizeBytes: z.int().nonnegative(),
    storedAt: z.iso.datetime(),
    keepUntil: z.iso.datetime().nullable().describe("null: as long as the run's events."),
    url: z.string(),
  })
  .meta({ id: "SessionLog" });
export type SessionLog = z.infer<typeof SessionLog>;

export const Health = z
  .object({
    status: z.enum(["ok", "degraded"]),
    ts: z.iso.datetime(),
    checks: z.record(
      z.string(),
      z.object({ ok: z.boolean(), ms: z.number(), note: z.string().optional() }),
    ),
  })
  .meta({ id: "Health" });

export type Health = z.infer<typeof Health>;

export const Root = z
  .object({
    name: z.literal("millrace"),
    status: z.literal("ok"),
    version: z.literal("v1"),
    docs: z.array(z.string()),
    endpoints: z.array(z.string()),
  })
  .meta({ id: "Root" });

export type Root = z.infer<typeof Root>;

export const Capabilities = z
  .object({
    name: z.literal("millrace"),
    actions: z.array(z.string()),
    providers: z.array(z.string()),
    workspaceBackends: z.array(z.object({ name: z.string(), available: z.boolean() })),
    constraints: z.object({
      planPhaseReadOnly: z.boolean(),
      secrets: z.object({ readDotEnvDenied: z.boolean(), envExampleReadable: z.boolean() }),
      promptMaxChars: z.int(),
      requestBodyMaxBytes: z.int(),
    }),
    env: z.record(z.string(), z.string()),
  })
  .meta({ id: "Capabilities" });

export type Capabilities = z.infer<typeof Capabilities>;

/** Read from a header, so that it can be checked after the body. */
export const IdempotencyKey = z
  .string()
  .trim()
  .min(1)
  .max(limits.idempotencyKeyMaxChars)
  .describe(
    "Names this request within its project: a repeat with the same body answers the same run.",
  );

/** SSE event names of this dialect. */
export const V1FrameType = z.enum(["status", "token", "tool", "file_op", "done", "error"]);
export type V1FrameType = z.infer<typeof V1FrameType>;
/** The `data:` line of a frame. */
export const V1Frame = z
  .object({
    id: z.int().positive(),
    event: V1FrameType,
    data: Json,
    ts: z.iso.datetime(),
  })
  .meta({ id: "V1Frame" });
export type V1Frame = z.infer<typeof V1Frame>;
