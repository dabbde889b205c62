import type {
  V1Container,
  V1EnvVar,
  V1PodSpec,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { sessionPod } from "@millrace/contracts";
import type { Wire } from "../../kube/kind.ts";
import type { SessionSettings } from "../session-settings.ts";

/** What runners' pods differ in. The volumes are `session` with the token, `files`, and `workVolumes`. */
export interface RunnerParts {
  readonly image: string;
  readonly env: readonly Wire<V1EnvVar>[];
  readonly resources: Wire<V1ResourceRequirements>;
  /** Beside those that every runner has. */
  readonly mounts: readonly Wire<V1VolumeMount>[];
  readonly volumes: readonly Wire<V1Volume>[];
}

/** A pod that Pod Security `restricted` accepts: no token of Kubernetes, nothing writable but its volumes. */
export function makeRunnerPodSpec(settings: SessionSettings, parts: RunnerParts): Wire<V1PodSpec> {
  return {
    restartPolicy: "Never",
    ...(settings.serviceAccount !== undefined && { serviceAccountName: settings.serviceAccount }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: settings.graceSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    imagePullSecrets: settings.pullSecrets.map((secret) => ({ name: secret })),
    containers: [makeRunner(settings, parts)],
    volumes: [...parts.volumes],
  };
}

function makeRunner(settings: SessionSettings, parts: RunnerParts): Wire<V1Container> {
  const { providerSecret, pullPolicy } = settings;
  const { image, env, resources, mounts } = parts;
  const { paths } = sessionPod;
  return {
    name: sessionPod.container,
    image,
    imagePullPolicy: pullPolicy,
    env: besides(settings.env, [
      ...env,
      ...tracingVariables(settings),
      ...proxyVariables(settings),
    ]),
    ...(providerSecret !== undefined && {
      envFrom: [{ secretRef: { name: providerSecret, optional: true } }],
    }),
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    // Why it ended stands in the pod's status too, so that it is known when the log is gone.
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: "session", mountPath: paths.run, readOnly: true },
      { name: "files", mountPath: paths.workspaces },
      { name: "state", mountPath: paths.state },
      { name: "tmp", mountPath: paths.temporary },
      ...mounts,
    ],
  };
}

/** No name twice: the API server takes a container's variables for a map. */
function besides(
  given: Readonly<Record<string, string>>,
  own: readonly Wire<V1EnvVar>[],
): readonly Wire<V1EnvVar>[] {
  const taken = new Set(own.map(({ name }) => name));
  return [...toVariables(given).filter(({ name }) => !taken.has(name)), ...own];
}

/** Variables that every runner of a session is told. */
export function commonVariables(settings: SessionSettings): Record<string, string> {
  const { paths } = sessionPod;
  return {
    EDGE_URL: settings.edgeUrl,
    POOL: settings.pool,
    STATE_DIR: paths.state,
    WORKSPACE_ROOT: paths.workspaces,
    DRAIN_DEADLINE_MS: String(Math.max(settings.graceSeconds - 5, 1) * 1000),
  };
}

export const toVariables = (
  variables: Readonly<Record<string, string>>,
): readonly Wire<V1EnvVar>[] => Object.entries(variables).map(([name, value]) => ({ name, value }));

/** A namespace without the Secret has spans without headers, and sessions all the same. */
function tracingVariables({ tracing }: SessionSettings): readonly Wire<V1EnvVar>[] {
  if (!tracing) return [];
  const variables = toVariables(tracing.env);
  if (!tracing.headers) return variables;
  const { secret: name, key } = tracing.headers;
  const secretKeyRef = { name, key, optional: true };
  return [...variables, { name: "OTEL_EXPORTER_OTLP_HEADERS", valueFrom: { secretKeyRef } }];
}

/** A namespace without the Secret has no sessions: kubelet says which it misses, and nothing goes out another way. */
function proxyVariables({ proxy }: SessionSettings): readonly Wire<V1EnvVar>[] {
  if (!proxy) return [];
  const { url, noProxy, secret } = proxy;
  return [
    { name: "NO_PROXY", value: noProxy },
    secret
      ? { name: "HTTPS_PROXY", valueFrom: { secretKeyRef: secret } }
      : { name: "HTTPS_PROXY", value: url },
  ];
}

export const workVolumes: readonly Wire<V1Volume>[] = [
  { name: "state", emptyDir: { sizeLimit: "1Gi" } },
  { name: "tmp", emptyDir: { sizeLimit: "1Gi" } },
];
