import type { OperatorEnv } from "./env.ts";
import type { Controller } from "./kube/controller.ts";
import type { EventRecorder } from "./kube/event-recorder.ts";
import type { KubeClient } from "./kube/kube-client.ts";
import type { Logger } from "@millrace/contracts";
import type { OperatorMetrics } from "./metrics.ts";

/** What every controller is made of. */
export interface ControllerParts {
  readonly env: OperatorEnv;
  /** Of both replicas: for informers. A reconcile writes with the one of its context. */
  readonly api: KubeClient;
  readonly recorder: EventRecorder;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
}

/** All controllers of this operator. The process starts them; see README.md for how one is put together. */
export function makeControllers(_parts: ControllerParts): readonly Controller[] {
  return [];
}
