import { crdGroup } from "@millrace/contracts";

/** The operator's own notes on children; a session has none. */
export const annotations = {
  /** On every child: the session's name, which a label may not have room for. */
  session: `${crdGroup}/session-name`,
  /** On a volume claim: whose it is, also when no owner is to take it along. */
  sessionUid: `${crdGroup}/session-uid`,
  runId: `${crdGroup}/run-id`,
  orgId: `${crdGroup}/org-id`,
  projectId: `${crdGroup}/project-id`,
  /** On an attempt's Secret: where its spans belong. */
  traceparent: `${crdGroup}/traceparent`,
  /** On an attempt's Secret: when its token is half over. */
  tokenRenewAt: `${crdGroup}/token-renew-at`,
  /** On an attempt's Secret: the platform asked for its end (`cancel`, `stop`, `fence`). */
  stopBy: `${crdGroup}/stop-by`,
  /** Beside it: milliseconds from SIGTERM to SIGKILL. */
  stopGraceMs: `${crdGroup}/stop-grace-ms`,
  /** On an attempt's Secret: the idle pod whose runner has accepted the attempt already. */
  warmPod: `${crdGroup}/warm-pod`,
} as const;
