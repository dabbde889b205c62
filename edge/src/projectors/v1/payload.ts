import type { EventData, EventType, v1 } from "@millrace/contracts";

/** A `/v1` frame before it has its number. */
export interface Payload {
  readonly event: v1.V1FrameType;
  readonly data: object;
}

type Project<T extends EventType> = (data: EventData[T], runId: string) => Payload;

const status = (name: string, data: object): Payload => ({
  event: "status",
  data: { status: name, ...data },
});
const tool = (data: object): Payload => ({ event: "tool", data });

const fileOp = (data: EventData["file.changed"] | EventData["file.read"]): Payload => {
  const { size, ...others } = data;
  return { event: "file_op", data: size === undefined ? others : { ...others, sizeChars: size } };
};

/** The canonical events that have a name of their own in `/v1`. Every other one is a status of its own type. */
const projections = {
  "run.queued": (data) => status("queued", data),
  "run.started": (data) => status("running", data),
  "run.attempt_failed": (data) => status("attempt_failed", data),
  "run.retrying": (data) =>
    status("retrying", { ...data, backoffSeconds: Math.ceil(data.backoffMs / 1000) }),
  "run.phase": ({ phase, state, from }, runId) => {
    switch (state) {
      case "started":
        return status("phase_started", { runId, phase });
      case "completed":
        return status("phase_completed", { runId, phase });
      case "transition":
        return status("phase_transition", { runId, from: from ?? null, to: phase });
    }
  },
  "run.plan": (data, runId) => status("plan_ready", { runId, ...data }),
  "run.succeeded": ({ output, usage, durationMs }) => ({
    event: "done",
    data: {
      output,
      usage,
      cachedInputTokens: usage?.cachedInputTokens ?? null,
      reasoningOutputTokens: usage?.reasoningOutputTokens ?? null,
      durationMs,
    },
  }),
  "run.failed": (data) => ({ event: "error", data }),
  "run.cancelled": (data) => status("cancelled", data),
  "text.delta": ({ text }) => ({ event: "token", data: { token: text } }),
  "tool.started": ({ callId, name, phase, input }) =>
    tool({ phase: "start", runPhase: phase, tool: name, callId, input }),
  "tool.output": ({ callId, name, phase, cmd, stream, chunk }) =>
    tool({
      phase: "stream",
      runPhase: phase,
      tool: name,
      callId,
      cmd,
      stream,
      internal: false,
      chunk,
    }),
  "tool.finished": (data, runId) => {
    const { callId, name, phase, durationMs } = data;
    const call = { runPhase: phase, runId, tool: name, callId, durationMs };
    if (data.ok) return tool({ phase: "end", ...call, output: data.output });
    return tool({ phase: "error", ...call, error: data.error.message, code: data.error.code });
  },
  "file.changed": fileOp,
  "file.read": fileOp,
  "model.resolved": (data) => status("model_resolved", data),
  "workspace.committed": (data) => {
    switch (data.outcome) {
      case "committed":
        return status("git_commit", { commitSha: data.commitSha });
      case "skipped":
        return status("git_commit_skipped", { reason: data.reason });
      case "failed":
        return status("git_commit_error", { error: data.error });
    }
  },
  "workspace.archived": (data) => {
    switch (data.outcome) {
      case "stored": {
        const { key, sizeBytes, fileCount } = data;
        return status("workspace_snapshot_stored", { artifactPath: key, sizeBytes, fileCount });
      }
      case "failed":
        return status("workspace_snapshot_store_failed", { error: data.error });
    }
  },
} satisfies { readonly [T in EventType]?: Project<T> };

type Named = keyof typeof projections;

function isNamed(type: EventType): type is Named {
  return Object.hasOwn(projections, type);
}

/** The frame of one canonical event, without its number. */
export function projectEvent<T extends EventType>(
  type: T,
  data: EventData[T],
  runId: string,
): Payload {
  if (!isNamed(type)) return status(type, data);
  const project = projections[type] as Project<T>;
  return project(data, runId);
}
