import { SessionController } from "./agentic-session/controller.ts";
import { readSessionSettings } from "./agentic-session/session-settings.ts";
import { EdgeHttp } from "./edge/edge-http.ts";
import { tokenFile } from "./edge/token-file.ts";
import { WarmPoolController } from "./warm-pool/warm-pool-controller.ts";
import type { OperatorEnv } from "./env.ts";
import type { Controller } from "./kube/controller.ts";
import type { EventRecorder } from "./kube/event-recorder.ts";
import type { KubeClient } from "./kube/kube-client.ts";
import type { Logger } from "@millrace/contracts";
import type { OperatorMetrics } from "./metrics.ts";
import type { Tracer } from "@millrace/telemetry";

export const version = "0.1.0";

/** What every controller is made of. */
export interface ControllerParts {
  readonly env: OperatorEnv;
  /** Of both replicas: for informers. A reconcile writes with the one of its context. */
  readonly api: KubeClient;
  readonly recorder: EventRecorder;
  readonly metrics: OperatorMetrics;
  readonly tracer: Tracer;
  readonly log: Logger;
}

/** All controllers of this operator. The process starts them; see README.md for how one is put together. */
export function makeControllers(parts: ControllerParts): readonly Controller[] {
  const { EDGE_URL: edgeUrl, POOL: pool, POOL_TOKEN_FILE, SESSION_SETTINGS_FILE } = parts.env;
  if (edgeUrl === undefined) return [];
  const settings = readSessionSettings(SESSION_SETTINGS_FILE, { edgeUrl, pool });
  const token = tokenFile(POOL_TOKEN_FILE);
  // Without one it does not start; one that is replaced later is read then.
  token();
  const edge = new EdgeHttp({ url: edgeUrl, pool, token });
  const { warmPool: warm } = settings;
  const warmPool = warm && new WarmPoolController({ ...parts, settings, warm, edge });
  const sessions = new SessionController({ ...parts, settings, token, version, edge, warmPool });
  return warmPool ? [sessions, warmPool] : [sessions];
}
