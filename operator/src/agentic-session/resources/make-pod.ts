import type {
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
import {
  commonVariables,
  makeRunnerPodSpec,
  toVariables,
  workVolumes,
} from "./make-runner-pod-spec.ts";
import { hasMcpServers } from "./make-secret.ts";

export interface AttemptFacts {
  readonly attempt: number;
  readonly runId: string;
  readonly orgId: string;
  readonly projectId: string;
}

/** The pod of one attempt, for its Job. */
export function makePod(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Wire<V1PodTemplateSpec> {
  const child = attemptChildOf(session, attempt.attempt);
  const { name, namespace, labels } = child;
  const { runtimeClassName, image = settings.image } = session.spec;
  const spec = makeRunnerPodSpec(settings, {
    image,
    env: toVariables(variablesOf(session, attempt, settings)),
    resources: makeResources(session, settings),
    mounts: makeMounts(session),
    volumes: makeVolumes(session, name),
  });
  return {
    metadata: {
      namespace,
      labels,
      annotations: { ...settings.podAnnotations, ...child.annotations },
    },
    spec: { ...spec, ...(runtimeClassName !== undefined && { runtimeClassName }) },
  };
}

function variablesOf(
  session: Session,
  attempt: AttemptFacts,
  settings: SessionSettings,
): Record<string, string> {
  const { env, paths, mode } = sessionPod;
  const { model, timeoutSeconds, workflow } = session.spec;
  return {
    [env.mode]: mode,
    [env.runId]: attempt.runId,
    [env.attempt]: String(attempt.attempt),
    [env.orgId]: attempt.orgId,
    [env.projectId]: attempt.projectId,
    [env.tokenFile]: `${paths.run}/${sessionPod.tokenKey}`,
    [env.commandEnvFile]: `${paths.run}/${sessionPod.commandEnvKey}`,
    [env.commandSecretsDir]: paths.secrets,
    ...(hasMcpServers(session) && { [env.mcpFile]: `${paths.run}/${sessionPod.mcpKey}` }),
    RUN_TIMEOUT_MS: String(timeoutSeconds * 1000),
    ...(workflow && { [env.workflow]: JSON.stringify(workflow) }),
    ...(model?.temperature !== undefined && { AGENT_TEMPERATURE: String(model.temperature) }),
    ...(model?.maxTokens !== undefined && { AGENT_MAX_TOKENS: String(model.maxTokens) }),
    ...commonVariables(settings),
  };
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
  return (spec.secretRefs ?? []).map((secret, at) => ({
    name: `secret-${at}`,
    mountPath: `${sessionPod.paths.secrets}/${secret}`,
    readOnly: true,
  }));
}

function makeVolumes(session: Session, secretName: string): readonly Wire<V1Volume>[] {
  const { storage, secretRefs = [] } = session.spec;
  const claimName = childName(session.metadata.name, "files");
  return [
    { name: "session", secret: { secretName, defaultMode: 0o440 } },
    storage.mode === "persistent"
      ? { name: "files", persistentVolumeClaim: { claimName } }
      : { name: "files", emptyDir: { sizeLimit: storage.size } },
    ...workVolumes,
    ...secretRefs.map((secret, at) => ({
      name: `secret-${at}`,
      secret: { secretName: secret, defaultMode: 0o440 },
    })),
  ];
}
