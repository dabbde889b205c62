import { z } from "zod";
import { ProviderName } from "../providers.ts";
import { headersAreOfSecretRefs, McpServers } from "./mcp-server.ts";
import { crdGroup, crdVersion } from "./names.ts";
import { immutable, ruled } from "./rules.ts";
import { SessionMessages } from "./session-message.ts";

const dnsName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const quantity = /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$/;
/** Https alone, and nothing in it that could be a credential: those come from `secretRefs`. */
const gitUrl = /^https:\/\/[^\s/@?#]+(\/[^\s?#]*)?$/;
/** Neither absolute nor upwards. */
const folderInside = /^((\.?[^\s/.][^\s/]*)(\/\.?[^\s/.][^\s/]*)*\/?)?$/;

const Name = z.string().min(1).max(253).regex(dnsName);
const Quantity = z.string().max(32).regex(quantity);
const GitUrl = z.string().max(2048).regex(gitUrl);
const Branch = z.string().min(1).max(255);
const Seconds = z.int().min(0).max(31_536_000);

const Repo = z.object({
  url: GitUrl,
  /** The remote's default branch when there is none. */
  branch: Branch.optional(),
  /** Push what was committed when the run has succeeded. */
  autoPush: z.boolean().default(false),
});

const Amounts = z.object({ cpu: Quantity.optional(), memory: Quantity.optional() });

const Model = z.object({
  name: z.string().min(1).max(200).describe("The model's name at its provider."),
  provider: ProviderName.optional().describe("The runner's default provider when there is none."),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: z.int().min(1).max(1_000_000).optional(),
});

const env = z
  .record(z.string(), z.string().max(4096))
  .meta({
    maxProperties: 64,
    ...ruled(
      {
        rule: "self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))",
        message: "env names must be letters, digits and underscores",
      },
      {
        rule: "self.all(name, !name.startsWith('MILLRACE_'))",
        message: "env names that begin with MILLRACE_ are the runner's own",
      },
      {
        rule: "self.all(name, !(name in ['PATH', 'HOME', 'TMPDIR', 'SHELL', 'GIT_TERMINAL_PROMPT']))",
        message: "PATH, HOME, TMPDIR, SHELL and GIT_TERMINAL_PROMPT are set by the runner",
      },
    ),
  })
  .describe(
    "For the commands of the run. Visible to everybody who may read the session: no secrets.",
  );

/** What is asked for. Every field is first class: none travels in `env` or in annotations. */
export const AgenticSessionSpec = z
  .object({
    prompt: z
      .string()
      .min(1)
      .max(200_000)
      .describe("What the agent is to do.")
      .meta(ruled(immutable("prompt"))),
    displayName: z.string().max(200).optional(),
    threadId: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
      .optional()
      .describe("The project that the run belongs to; one of its own when there is none.")
      .meta(ruled(immutable("threadId"))),
    parent: Name.optional()
      .describe("The session that this one came from. It inherits no identity.")
      .meta(ruled(immutable("parent"))),
    runnerType: z
      .enum(["coding"])
      .default("coding")
      .meta(ruled(immutable("runnerType"))),
    model: Model.optional().meta(ruled(immutable("model"))),
    repos: z
      .array(Repo)
      .max(20)
      .optional()
      .describe("Each is cloned into a directory of its own before the run plans.")
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["url"],
        ...ruled(immutable("repos")),
      }),
    workflow: z
      .object({
        gitUrl: GitUrl,
        branch: Branch.default("main"),
        path: z
          .string()
          .max(1024)
          .regex(folderInside)
          .default("")
          .describe("The folder with AGENTS.md or CLAUDE.md; the repository's root if empty."),
      })
      .optional()
      .describe(
        "A repository that says how to work: commands can read it, and the model is given its instructions. Another one counts from the next attempt on.",
      ),
    interactive: z
      .boolean()
      .default(false)
      .describe("The model may ask. The session then waits, without a pod, for an answer.")
      .meta(ruled(immutable("interactive"))),
    messages: SessionMessages.optional(),
    desiredState: z
      .enum(["Running", "Stopped"])
      .default("Running")
      .describe("Stopped is a pause: Running goes on where it was."),
    restartToken: z
      .string()
      .max(64)
      .optional()
      .describe("Another value than before starts the execution anew, from its checkpoint."),
    timeoutSeconds: Seconds.min(1)
      .default(7200)
      .describe("Of execution, over all attempts.")
      .meta(ruled(immutable("timeoutSeconds"))),
    startDeadlineSeconds: Seconds.min(1)
      .default(600)
      .describe("How long an attempt may take until its runner is connected."),
    inactivityTimeoutSeconds: Seconds.default(0).describe(
      "Stops a session that is silent for so long; 0 never does.",
    ),
    stopOnRunFinished: z
      .boolean()
      .default(true)
      .describe("False: the end of a turn is not the session's; it waits for the next message.")
      .meta(ruled(immutable("stopOnRunFinished"))),
    retention: z
      .object({
        logs: z
          .int()
          .min(0)
          .max(3650)
          .default(7)
          .describe("Days for which container logs are kept."),
        workspace: z
          .enum(["Delete", "Retain"])
          .default("Delete")
          .describe("What becomes of a persistent volume when the session is deleted."),
      })
      .default({ logs: 7, workspace: "Delete" }),
    env: env.optional(),
    secretRefs: z
      .array(Name)
      .max(16)
      .optional()
      .describe(
        `Secrets of the session's namespace that are labelled ${crdGroup}/session-secret=true. Entries whose key is a variable's name become environment variables of commands; .git-credentials, GITHUB_TOKEN and GITLAB_TOKEN serve for cloning and pushing too.`,
      )
      .meta({ "x-kubernetes-list-type": "set" }),
    mcpServers: McpServers.optional().describe(
      "Servers whose tools the model is given, as <server>__<tool>. Another list counts from the next attempt on.",
    ),
    resources: z.object({ requests: Amounts.optional(), limits: Amounts.optional() }).optional(),
    storage: z
      .object({
        size: Quantity.default("10Gi"),
        className: Name.optional(),
        mode: z.enum(["ephemeral", "persistent"]).default("ephemeral"),
      })
      .default({ size: "10Gi", mode: "ephemeral" })
      .meta(ruled(immutable("storage"))),
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe("Only images that the chart's values allow.")
      .meta(ruled(immutable("image"))),
    runtimeClassName: Name.optional(),
    owner: z
      .string()
      .max(512)
      .optional()
      .describe("Who created the session. Set by admission; nobody can name another.")
      .meta(ruled(immutable("owner"))),
  })
  .meta(
    ruled(
      headersAreOfSecretRefs,
      ...["threadId", "parent", "model", "repos", "image", "owner"].map((name) => ({
        rule: `has(self.${name}) == has(oldSelf.${name})`,
        message: `${name} cannot be added or taken away later`,
      })),
    ),
  );
export type AgenticSessionSpec = z.infer<typeof AgenticSessionSpec>;

export const SessionPhase = z.enum([
  "Pending",
  "Creating",
  "Running",
  "Waiting",
  "Stopping",
  "Stopped",
  "Completed",
  "Failed",
]);
export type SessionPhase = z.infer<typeof SessionPhase>;

export const sessionConditions = [
  "Ready",
  "SecretsReady",
  "VolumeReady",
  "PodScheduled",
  "RunnerConnected",
  "Retained",
] as const;
export type SessionConditionType = (typeof sessionConditions)[number];

const Time = z.iso.datetime();

/** As Kubernetes has it: one per type; `lastTransitionTime` moves with `status` alone. */
const Condition = z.object({
  type: z.string().max(316),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().max(1024),
  message: z.string().max(32_768),
  lastTransitionTime: Time,
  observedGeneration: z.int().min(0).optional(),
});

/** A report to the run object that nobody has confirmed yet: it survives an operator that dies. */
const PendingReport = z.object({
  key: z.string().max(253),
  body: z.string().max(16_384).describe("The message as JSON (contracts, session-protocol.ts)."),
});

/** What is. Only the operator writes it. */
export const AgenticSessionStatus = z.object({
  observedGeneration: z.int().min(0).optional(),
  phase: SessionPhase.optional(),
  reason: z.string().max(1024).optional(),
  message: z.string().max(32_768).optional(),
  runId: z.string().max(64).optional(),
  url: z.string().max(2048).optional(),
  model: z.string().max(200).optional().describe("That the run uses, or at first asks for."),
  attempt: z.int().min(0).optional(),
  endedAttempt: z
    .int()
    .min(0)
    .optional()
    .describe("The last attempt that is over; what it left behind may be taken away."),
  podName: z.string().max(253).optional(),
  warmPod: z.string().max(253).optional().describe("In place of the attempt's Job."),
  nodeName: z.string().max(253).optional(),
  startTime: Time.optional(),
  completionTime: Time.optional(),
  lastActivityTime: Time.optional(),
  restartToken: z.string().max(64).optional().describe("The one that was acted on last."),
  sentMessages: z
    .array(z.string().max(63))
    .max(64)
    .optional()
    .describe("Ids of the messages that the run has, or has refused for good.")
    .meta({ "x-kubernetes-list-type": "set" }),
  usage: z
    .object({
      inputTokens: z.int().min(0).optional(),
      outputTokens: z.int().min(0).optional(),
      totalTokens: z.int().min(0).optional(),
    })
    .optional(),
  reports: z
    .array(PendingReport)
    .max(32)
    .optional()
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"] }),
  conditions: z
    .array(Condition)
    .max(16)
    .optional()
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
});
export type AgenticSessionStatus = z.infer<typeof AgenticSessionStatus>;

/** The object as the API server gives it, with what the operator reads of its metadata. */
export const AgenticSession = z.object({
  apiVersion: z.literal(`${crdGroup}/${crdVersion}`),
  kind: z.literal("AgenticSession"),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.int().default(1),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().optional(),
    finalizers: z.array(z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: AgenticSessionSpec,
  status: AgenticSessionStatus.optional(),
});
export type AgenticSession = z.infer<typeof AgenticSession>;
