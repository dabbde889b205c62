import { type SessionStart, sessionPod } from "@millrace/contracts";
import type { Draft } from "../../kube/kind.ts";
import type { Session } from "../session.ts";
import type { Secret } from "../facts.ts";
import { attemptChildOf } from "./child-of.ts";
import { annotations } from "./annotations.ts";

/**
 * The attempt's Secret. It is made when the platform asks for the attempt and is the record of that wish: what is in
 * it survives an operator that dies before there is a Job.
 */
export function makeAttemptSecret(
  session: Session,
  start: SessionStart,
  now: number,
): Draft<Secret> {
  const podName = start.warm?.podName ?? null;
  return {
    metadata: {
      ...attemptChildOf(session, start.attempt),
      annotations: {
        [annotations.session]: session.metadata.name,
        [annotations.runId]: start.runId,
        [annotations.orgId]: start.orgId,
        [annotations.projectId]: start.projectId,
        [annotations.tokenRenewAt]: renewAt(now, start.tokenExpiresInMs),
        ...(start.spec.traceparent !== null && {
          [annotations.traceparent]: start.spec.traceparent,
        }),
        ...(podName !== null && { [annotations.warmPod]: podName }),
      },
    },
    type: "Opaque",
    data: {
      [sessionPod.tokenKey]: base64(start.token),
      [sessionPod.commandEnvKey]: base64(JSON.stringify(session.spec.env ?? {})),
      ...(hasMcpServers(session) && {
        [sessionPod.mcpKey]: base64(JSON.stringify(session.spec.mcpServers)),
      }),
    },
  };
}

/** Their settings may be larger than a variable can be, so they come in a file. */
export const hasMcpServers = ({ spec }: Session): boolean =>
  Object.keys(spec.mcpServers ?? {}).length > 0;

/** A merge patch that puts a fresh token in its place; kubelet brings it into the pod's file. */
export function makeTokenPatch(token: string, expiresInMs: number, now: number) {
  return {
    metadata: { annotations: { [annotations.tokenRenewAt]: renewAt(now, expiresInMs) } },
    data: { [sessionPod.tokenKey]: base64(token) },
  };
}

/** At half its life: two more tries fit before it ends. */
const renewAt = (now: number, expiresInMs: number): string =>
  new Date(now + expiresInMs / 2).toISOString();

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
