import type { RunView, v1 } from "@millrace/contracts";

/** The five words of `/v1` for where a run stands. */
export function v1Status(view: Pick<RunView, "status" | "startedAt">): v1.V1Status {
  switch (view.status) {
    case "queued":
    case "dispatched":
    case "waiting":
      return "queued";
    case "running":
      return "running";
    // A run that is being cancelled stays what it was until its terminal event.
    case "cancelling":
      return view.startedAt === null ? "queued" : "running";
    case "succeeded":
      return "completed";
    case "failed":
      return "error";
    case "cancelled":
      return "cancelled";
  }
}
