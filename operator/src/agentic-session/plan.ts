import type { AgenticSessionStatus, SessionMessage } from "@millrace/contracts";
import type { Requeue } from "../kube/controller.ts";

/** What is to be done, in this order; each is safe to repeat, and the first that fails keeps back the rest. */
export type Change =
  | { readonly kind: "add-finalizer" }
  | { readonly kind: "remove-finalizer" }
  /** Makes the run of a session that somebody created in the cluster. */
  | { readonly kind: "create-run" }
  | { readonly kind: "cancel-run"; readonly runId: string }
  | { readonly kind: "stop-run"; readonly runId: string }
  | { readonly kind: "resume-run"; readonly runId: string }
  | {
      readonly kind: "send-messages";
      readonly runId: string;
      readonly messages: readonly SessionMessage[];
    }
  /** Volume, network policy and Job of the current attempt. */
  | { readonly kind: "start-attempt"; readonly attempt: number }
  /** Makes the idle pod the session's. */
  | { readonly kind: "adopt-pod"; readonly attempt: number; readonly podName: string }
  | { readonly kind: "renew-token"; readonly runId: string; readonly attempt: number }
  | { readonly kind: "delete-pod"; readonly podName: string; readonly graceSeconds: number }
  /** The Job alone, so that it makes no pod any more. */
  | { readonly kind: "delete-job"; readonly attempt: number }
  /** Begins to bring the pod's logs to the platform, and to follow those that are still written. */
  | {
      readonly kind: "keep-logs";
      readonly runId: string;
      readonly attempt: number;
      readonly podName: string;
    }
  /** Takes away Job, pod and Secret. */
  | {
      readonly kind: "clear-attempt";
      readonly attempt: number;
      readonly podName: string | undefined;
    }
  | { readonly kind: "revoke-tokens"; readonly runId: string }
  | { readonly kind: "delete-logs"; readonly runId: string }
  /** Gives the volume an owner to go with, or takes it away. */
  | { readonly kind: "own-claim"; readonly claimName: string }
  | {
      readonly kind: "tell";
      readonly type: "Normal" | "Warning";
      readonly reason: string;
      readonly note: string;
    };

export interface Plan {
  readonly changes: readonly Change[];
  readonly status: AgenticSessionStatus;
  readonly requeue: Requeue;
}
