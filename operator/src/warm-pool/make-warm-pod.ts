import { createHash } from "node:crypto";
import type { V1EnvVar, V1PodSpec, V1Volume } from "@kubernetes/client-node";
import { type SessionToken, crdGroup, sessionPod, warmPoolLabel } from "@millrace/contracts";
import { plainStorageSize } from "../agentic-session/needs-own-pod.ts";
import type { NetworkPolicy, Pod, Secret } from "../agentic-session/facts.ts";
import {
  commonVariables,
  makeRunnerPodSpec,
  toVariables,
  workVolumes,
} from "../agentic-session/resources/make-runner-pod-spec.ts";
import type { SessionSettings, WarmSettings } from "../agentic-session/session-settings.ts";
import type { Draft, KubeObject, Wire } from "../kube/kind.ts";
import { controllerOf } from "../kube/owner-reference.ts";

/** On an idle pod: the digest of the template that it was made from. */
export const templateAnnotation = `${crdGroup}/warm-template`;

/** What all idle pods of the pool are made from. */
export interface WarmTemplate {
  /** Differs when anything does that a pod cannot learn later. */
  readonly digest: string;
  /** Whose runs of the edge may be given to them. */
  readonly owners: readonly string[];
  readonly spec: (podName: string) => Wire<V1PodSpec>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function makeWarmTemplate(settings: SessionSettings, warm: WarmSettings): WarmTemplate {
  const owners = ownersOf(settings, warm.namespace);
  const spec = (podName: string) => makeSpec(settings, podName);
  const annotations = settings.podAnnotations;
  const text = JSON.stringify({ owners, annotations, spec: spec("") });
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return { digest, owners, spec, annotations };
}

/** A token names so many at most; runs of others take the cold path. */
const mostOwners = 20;

/** Owners of the edge whose sessions are made in this namespace; `*`, everybody else, only where all of them are. */
function ownersOf({ identities }: SessionSettings, namespace: string): readonly string[] {
  const here = identities.filter((identity) => identity.namespace === namespace);
  const owners = here.map(({ owner }) => owner);
  const isEverybody = owners.includes("*") && here.length === identities.length;
  if (isEverybody) return ["*"];
  return owners.filter((owner) => owner !== "*").slice(0, mostOwners);
}

function makeSpec(settings: SessionSettings, podName: string): Wire<V1PodSpec> {
  const { env, paths } = sessionPod;
  const variables = {
    [env.mode]: sessionPod.warmMode,
    POOL_TOKEN_FILE: `${paths.run}/${sessionPod.tokenKey}`,
    ...commonVariables(settings),
  };
  const ownName: Wire<V1EnvVar> = {
    name: "POD_NAME",
    valueFrom: { fieldRef: { fieldPath: "metadata.name" } },
  };
  return makeRunnerPodSpec(settings, {
    image: settings.image,
    env: [...toVariables(variables), ownName],
    resources: settings.resources,
    mounts: [],
    volumes: makeVolumes(podName),
  });
}

const makeVolumes = (podName: string): readonly Wire<V1Volume>[] => [
  { name: "session", secret: { secretName: podName, defaultMode: 0o440 } },
  { name: "files", emptyDir: { sizeLimit: plainStorageSize } },
  ...workVolumes,
];

/** Metadata of what belongs to an idle pod or to its pool. */
function warmChildOf(owner: KubeObject, pool: string, name: string) {
  const { namespace } = owner.metadata;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: {
      "app.kubernetes.io/part-of": "millrace",
      "app.kubernetes.io/component": "warm-runner",
      "app.kubernetes.io/managed-by": "millrace-operator",
      [warmPoolLabel]: pool,
    },
    ownerReferences: [controllerOf(owner)],
  };
}

/** An idle pod, owned by the pool's object until a session takes it over. */
export function makeWarmPod(
  anchor: KubeObject,
  pool: string,
  of: { readonly name: string; readonly template: WarmTemplate },
): Draft<Pod> {
  const { name, template } = of;
  return {
    metadata: {
      ...warmChildOf(anchor, pool, name),
      annotations: { ...template.annotations, [templateAnnotation]: template.digest },
    },
    spec: template.spec(name),
  };
}

/** With the pod's token; goes with the pod. */
export function makeWarmSecret(
  pod: KubeObject,
  pool: string,
  { token }: SessionToken,
): Draft<Secret> {
  return {
    metadata: warmChildOf(pod, pool, pod.metadata.name),
    type: "Opaque",
    data: { [sessionPod.tokenKey]: Buffer.from(token, "utf8").toString("base64") },
  };
}

/** Idle pods reach what sessions reach, and nobody reaches them. */
export function makeWarmPolicy(
  anchor: KubeObject,
  { pool, egress }: SessionSettings,
): Draft<NetworkPolicy> {
  return {
    metadata: warmChildOf(anchor, pool, anchor.metadata.name),
    spec: {
      podSelector: { matchLabels: { [warmPoolLabel]: pool } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [],
      egress,
    },
  };
}
