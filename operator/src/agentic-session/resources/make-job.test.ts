import { AgenticSessionSpec, attemptLabel } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import type { SessionSettings } from "../session-settings.ts";
import { makeSession } from "../testing/make-facts.ts";
import { makeJob } from "./make-job.ts";

const settings: SessionSettings = {
  image: "runner:1",
  allowedImages: [],
  pullPolicy: "IfNotPresent",
  pullSecrets: [],
  providerSecret: "providers",
  networkPolicies: true,
  egress: [],
  resources: { requests: { cpu: "100m" }, limits: { cpu: "1", memory: "1Gi" } },
  graceSeconds: 30,
  podAnnotations: {},
  env: { COMMAND_TIMEOUT_MS: "60000", POOL: "not-this", HTTPS_PROXY: "http://not-this" },
  identities: [],
  edgeUrl: "https://edge.example.com",
  pool: "default",
};
const attempt = { attempt: 2, runId: "r", orgId: "o", projectId: "p" };

const jobOf = (spec: object, more: Partial<SessionSettings> = {}) => {
  const asked = AgenticSessionSpec.parse({ prompt: "fix it", ...spec });
  return makeJob(makeSession({ spec: asked }), attempt, { ...settings, ...more });
};
const podOf = (spec: object, more?: Partial<SessionSettings>) =>
  jobOf(spec, more).spec?.template.spec;

describe("the Job of an attempt", () => {
  it("is one try of a bounded time, which the session owns", () => {
    const job = jobOf({ timeoutSeconds: 100, startDeadlineSeconds: 10 });
    expect(job.metadata).toMatchObject({
      name: "fix-2",
      labels: { [attemptLabel]: "2" },
      ownerReferences: [{ kind: "AgenticSession", controller: true, blockOwnerDeletion: true }],
    });
    expect(job.spec).toMatchObject({
      backoffLimit: 0,
      podReplacementPolicy: "Failed",
      activeDeadlineSeconds: 100 + 10 + 30 + 120,
      template: { spec: { restartPolicy: "Never" } },
    });
  });

  it("has a pod that is restricted, without a token of Kubernetes and without the run's in its environment", () => {
    const pod = podOf({});
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    });
    expect(pod?.volumes).toContainEqual({
      name: "session",
      secret: { secretName: "fix-2", defaultMode: 0o440 },
    });
    const [runner] = pod?.containers ?? [];
    expect(runner?.env?.filter(({ valueFrom }) => valueFrom !== undefined)).toEqual([]);
    expect(runner?.envFrom).toEqual([{ secretRef: { name: "providers", optional: true } }]);
  });

  it("gives it what the session asks for, and what the values say of the rest", () => {
    const pod = podOf({
      image: "mine:1",
      runtimeClassName: "gvisor",
      resources: { limits: { memory: "2Gi" }, requests: { cpu: "500m" } },
      secretRefs: ["deploy"],
    });
    expect(pod?.runtimeClassName).toBe("gvisor");
    expect(pod?.containers[0]).toMatchObject({
      image: "mine:1",
      resources: {
        limits: { cpu: "1", memory: "2Gi" },
        requests: { cpu: "500m", memory: "2Gi" },
      },
    });
    expect(pod?.volumes).toContainEqual({
      name: "secret-0",
      secret: { secretName: "deploy", defaultMode: 0o440 },
    });
    const files = (spec: object) => podOf(spec)?.volumes?.find(({ name }) => name === "files");
    expect(files({ storage: { size: "3Gi" } })).toEqual({
      name: "files",
      emptyDir: { sizeLimit: "3Gi" },
    });
    expect(files({ storage: { mode: "persistent" } })).toEqual({
      name: "files",
      persistentVolumeClaim: { claimName: "fix-files" },
    });
    expect(podOf({})?.runtimeClassName).toBeUndefined();
  });

  it("is told the values' variables, and no name twice", () => {
    const proxy = { url: "http://proxy:3128", noProxy: "" };
    const variables = podOf({}, { proxy })?.containers[0]?.env ?? [];
    const told = new Map(variables.map(({ name, value }) => [name, value]));
    expect(told.size).toBe(variables.length);
    expect(told.get("COMMAND_TIMEOUT_MS")).toBe("60000");
    expect([told.get("POOL"), told.get("HTTPS_PROXY")]).toEqual(["default", proxy.url]);
  });

  it("runs as the ServiceAccount that the values name, without its token", () => {
    expect(podOf({}, { serviceAccount: "builder" })).toMatchObject({
      serviceAccountName: "builder",
      automountServiceAccountToken: false,
    });
    expect(podOf({})).not.toHaveProperty("serviceAccountName");
  });
});
