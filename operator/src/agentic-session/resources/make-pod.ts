import type {
  V1Container,
  V1EnvVar,
  V1PodTemplateSpec,
  V1ResourceRequirements,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { sessionPod } from "@millrace/contracts";
import type { Wire } from "../../kube/kind.ts";
import type { Session } from "../session.ts";
import { childName } from "../child-name.ts";
import type { SessionSettings } from "../session-settings.ts";
import { attemptChildOf } from "./child-of.ts";

export interface AttemptFacts {
  readonly attempt: number;
  readonly runId: string;
  readonly orgId: string;
  readonly projectId: string;
}

/** A pod that Pod Security `restricted` accepts: no token of Kubernetes, nothing writable but its volumes. */
export function makePod(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Wire<V1PodTemplateSpec> {
  const child = attemptChildOf(session, attempt.attempt);
  const { name, namespace, labels } = child;
  const { runtimeClassName } = session.spec;
  return {
    metadata: {
      namespace,
      labels,
      annotations: { ...settings.podAnnotations, ...child.annotations },
    },
    spec: {
      restartPolicy: "Never",
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
      ...(runtimeClassName !== undefined && { runtimeClassName }),
      containers: [makeRunner(session, attempt, settings)],
      volumes: makeVolumes(session, name),
    },
  };
}

function makeRunner(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Wire<V1Container> {
  const { providerSecret } = settings;
  return {
    name: sessionPod.container,
    image: session.spec.image ?? settings.image,
    imagePullPolicy: settings.pullPolicy,
    env: makeEnv(session, attempt, settings),
    ...(providerSecret !== undefined && {
      envFrom: [{ secretRef: { name: providerSecret, optional: true } }],
    }),
    resources: makeResources(session, settings),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    // Why it ended stands in the pod's status too, so that it is known when the log is gone.
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: makeMounts(session),
  };
}

function makeEnv(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): readonly Wire<V1EnvVar>[] {
  const { env, paths, mode } = sessionPod;
  const { model, timeoutSeconds, workflow } = session.spec;
  const variables: Record<string, string> = {
    [env.mode]: mode,
    EDGE_URL: settings.edgeUrl,
    POOL: settings.pool,
    [env.runId]: attempt.runId,
    [env.attempt]: String(attempt.attempt),
    [env.orgId]: attempt.orgId,
    [env.projectId]: attempt.projectId,
    [env.tokenFile]: `${paths.run}/${sessionPod.tokenKey}`,
    [env.commandEnvFile]: `${paths.run}/${sessionPod.commandEnvKey}`,
    [env.commandSecretsDir]: paths.secrets,
    STATE_DIR: paths.state,
    WORKSPACE_ROOT: paths.workspaces,
    RUN_TIMEOUT_MS: String(timeoutSeconds * 1000),
    DRAIN_DEADLINE_MS: String(Math.max(settings.graceSeconds - 5, 1) * 1000),
    ...(workflow && { [env.workflow]: JSON.stringify(workflow) }),
    ...(model?.temperature !== undefined && { AGENT_TEMPERATURE: String(model.temperature) }),
    ...(model?.maxTokens !== undefined && { AGENT_MAX_TOKENS: String(model.maxTokens) }),
  };
  return Object.entries(variables).map(([name, value]) => ({ name, value }));
}

/** What the session asks for wins, amount by amount; a request above its limit would be refused. */
function makeResources(
  { spec }: Session,
  { resources }: SessionSettings,
): Wire<V1ResourceRequirements> {
  const limits = { ...resources.limits, ...given(spec.resources?.limits) };
  const requests = { ...resources.requests, ...given(spec.resources?.limits) };
  return { limits, requests: { ...requests, ...given(spec.resources?.requests) } };
}

const given = (amounts: Readonly<Record<string, string | undefined>> = {}) =>
  Object.fromEntries(
    Object.entries(amounts).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

function makeMounts({ spec }: Session): readonly Wire<V1VolumeMount>[] {
  const { paths } = sessionPod;
  return [
    { name: "session", mountPath: paths.run, readOnly: true },
    { name: "files", mountPath: paths.workspaces },
    { name: "state", mountPath: paths.state },
    { name: "tmp", mountPath: paths.temporary },
    ...(spec.secretRefs ?? []).map((secret, at) => ({
      name: `secret-${at}`,
      mountPath: `${paths.secrets}/${secret}`,
      readOnly: true,
    })),
  ];
}

function makeVolumes(session: Session, secretName: string): readonly Wire<V1Volume>[] {
  const { storage, secretRefs = [] } = session.spec;
  const claimName = childName(session.metadata.name, "files");
  return [
    { name: "session", secret: { secretName, defaultMode: 0o440 } },
    storage.mode === "persistent"
      ? { name: "files", persistentVolumeClaim: { claimName } }
      : { name: "files", emptyDir: { sizeLimit: storage.size } },
    { name: "state", emptyDir: { sizeLimit: "1Gi" } },
    { name: "tmp", emptyDir: { sizeLimit: "1Gi" } },
    ...secretRefs.map((secret, at) => ({
      name: `secret-${at}`,
      secret: { secretName: secret, defaultMode: 0o440 },
    })),
  ];
}
