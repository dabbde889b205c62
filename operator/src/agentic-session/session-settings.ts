import { readFileSync } from "node:fs";
import type { V1NetworkPolicyEgressRule } from "@kubernetes/client-node";
import { z } from "zod";
import type { Wire } from "../kube/kind.ts";

const Amounts = z.record(z.string(), z.string());
const Variable = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** What the chart's values say about all sessions. */
const SettingsFile = z.object({
  image: z.string().min(1),
  /** Images that a session may ask for: whole names, or beginnings that end in `*`. */
  allowedImages: z.array(z.string()).default([]),
  pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).default("IfNotPresent"),
  pullSecrets: z.array(z.string()).default([]),
  /** Secret with the providers' keys, where the session's namespace has one of this name. */
  providerSecret: z.string().min(1).optional(),
  /** False: no pod gets a NetworkPolicy, and `egress` says nothing. */
  networkPolicies: z.boolean().default(true),
  /** Rules of a NetworkPolicy; none: nothing is reached. */
  egress: z.array(z.custom<Wire<V1NetworkPolicyEgressRule>>()).default([]),
  resources: z
    .object({ requests: Amounts.default({}), limits: Amounts.default({}) })
    .default({ requests: {}, limits: {} }),
  /** From SIGTERM to SIGKILL, unless the platform says less. */
  graceSeconds: z.int().min(1).default(30),
  podAnnotations: z.record(z.string(), z.string()).default({}),
  /** More variables of the runner. Those that the operator sets itself win. */
  env: z.record(z.string(), Variable).default({}),
  /** As which ServiceAccount of their namespace pods run, without its token; none: as `default`. */
  serviceAccount: z.string().min(1).optional(),
  /** Variables with which runners export spans, and where what the collector asks for lies, in each namespace. */
  tracing: z
    .object({
      env: z.record(z.string(), z.string()),
      headers: z.object({ secret: z.string().min(1), key: z.string().min(1) }).optional(),
    })
    .optional(),
  /** By which runners leave. A Secret in each namespace has the address where that holds credentials. */
  proxy: z
    .object({
      url: z.string().min(1),
      noProxy: z.string(),
      secret: z.object({ name: z.string().min(1), key: z.string().min(1) }).optional(),
    })
    .optional(),
  /** As whom, and where, sessions of an owner of the edge are made; `*`: of everybody else. */
  identities: z
    .array(
      z.object({
        owner: z.string(),
        user: z.string(),
        group: z.string().optional(),
        namespace: z.string(),
      }),
    )
    .default([]),
  /** Idle pods that become sessions. */
  warmPool: z
    .object({
      size: z.int().min(0),
      /** They can become sessions of this namespace alone: a pod stays where it is. */
      namespace: z.string().min(1),
      /** ConfigMap that owns them while they are idle, so that they go with the chart. */
      anchor: z.string().min(1).max(40),
    })
    .optional(),
});

export type WarmSettings = NonNullable<z.output<typeof SettingsFile>["warmPool"]>;

export interface SessionSettings extends z.output<typeof SettingsFile> {
  /** As pods reach it. */
  readonly edgeUrl: string;
  readonly pool: string;
}

/** Throws when the file is missing or says something else: the operator does not start then. */
export function readSessionSettings(
  file: string,
  edge: Pick<SessionSettings, "edgeUrl" | "pool">,
): SessionSettings {
  return { ...SettingsFile.parse(JSON.parse(readFileSync(file, "utf8"))), ...edge };
}

export function isImageAllowed(image: string, allowed: readonly string[]): boolean {
  return allowed.some((one) =>
    one.endsWith("*") ? image.startsWith(one.slice(0, -1)) : image === one,
  );
}
