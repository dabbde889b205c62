import {
  AppsV1Api,
  AuthorizationV1Api,
  type KubeConfig,
  loadAllYaml,
  PolicyV1Api,
} from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";
import {
  leaseRights,
  operatorRights,
  takeOverRights,
  uninstallRights,
  warmRights,
} from "./operator-rights.ts";

const namespace = "agents";
const sessionsIn = "work";
const identity = { owner: "*", user: "edge-user", group: "edge-users", namespace: sessionsIn };

const enabled: Values = {
  ...requiredValues,
  "sessions.identities": JSON.stringify([identity]),
  "sessions.serviceAccount": "builder",
  "sessions.env": JSON.stringify({ COMMAND_TIMEOUT_MS: 6_000_000 }),
};

const Rules = z.object({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  rules: z.array(
    z.object({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
    }),
  ),
});

/** `group/resource verb` of every rule in the roles of one name. */
async function renderedRights(role: string, values: Values): Promise<readonly string[]> {
  const { stdout } = await helm(["template", "millrace", chart, ...setFlags(values)]);
  const roles = loadAllYaml(stdout).flatMap((one) => {
    const parsed = Rules.safeParse(one);
    return parsed.success && parsed.data.metadata.name === role ? [parsed.data] : [];
  });
  return roles.flatMap(({ rules }) =>
    rules.flatMap((rule) =>
      rule.apiGroups.flatMap((group) =>
        rule.resources.flatMap((resource) =>
          rule.verbs.map((verb) => `${group}/${resource} ${verb}`),
        ),
      ),
    ),
  );
}

const explained = (rights: typeof operatorRights) =>
  rights.flatMap(({ group, resource, verbs }) =>
    Object.keys(verbs).map((verb) => `${group}/${resource} ${verb}`),
  );

interface Question {
  readonly group?: string;
  readonly resource: string;
  readonly verb: string;
  readonly in?: string;
  readonly name?: string;
}

async function may(who: KubeConfig, question: Question): Promise<boolean> {
  const { group = "", verb, name } = question;
  const [resource = "", subresource = ""] = question.resource.split("/");
  const { status } = await who.makeApiClient(AuthorizationV1Api).createSelfSubjectAccessReview({
    body: {
      spec: {
        resourceAttributes: {
          group,
          resource,
          subresource,
          verb,
          ...(question.in === undefined ? {} : { namespace: question.in }),
          ...(name === undefined ? {} : { name }),
        },
      },
    },
  });
  return status?.allowed ?? false;
}

describe.skipIf(!hasControlPlane)("the operator that the chart installs", () => {
  let plane: ControlPlane;
  let operator: KubeConfig;

  const release = (verb: string, values: Values) => {
    const flags = [...setFlags(values), "--namespace", namespace, "--wait", "--timeout", "120s"];
    return helm([verb, "millrace", chart, ...flags], { KUBECONFIG: plane.kubeconfig });
  };

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    for (const name of [namespace, sessionsIn]) await plane.kubectl("create", "namespace", name);
    const level = "pod-security.kubernetes.io/enforce=restricted";
    await plane.kubectl("label", "namespace", namespace, level);
    const secret = ["create", "secret", "generic", "millrace-pool", "--from-literal=token=t"];
    await plane.kubectl("-n", namespace, ...secret);
    await release("install", enabled);
    operator = await plane.serviceAccount(namespace, "millrace-operator");
  });

  it("has the rights that are explained, and no other", async () => {
    const role = await renderedRights("millrace-operator", enabled);
    expect(role.toSorted()).toEqual(explained(operatorRights).toSorted());
    const open = { ...enabled, "networkPolicy.enabled": false };
    const without = explained(
      operatorRights.filter(({ resource }) => resource !== "networkpolicies"),
    );
    const withoutPolicies = await renderedRights("millrace-operator", open);
    expect(withoutPolicies.toSorted()).toEqual(without.toSorted());
    const lease = await renderedRights("millrace-operator-lease", enabled);
    expect(lease.toSorted()).toEqual(explained(leaseRights).toSorted());
    const warm = await renderedRights("millrace-warm", { ...enabled, "warmPool.size": 1 });
    expect(warm.toSorted()).toEqual(explained(warmRights).toSorted());
    expect(await renderedRights("millrace-warm", enabled)).toEqual([]);
    const ends = await renderedRights("millrace-uninstall", enabled);
    expect(ends.toSorted()).toEqual(explained(uninstallRights).toSorted());
    const takesOver = await renderedRights("millrace-uninstall-operator", enabled);
    expect(takesOver.toSorted()).toEqual(explained(takeOverRights).toSorted());
    expect([role, warm, ends, takesOver].join()).not.toContain("*");
  });

  it("may do so where sessions are, with the token of its pod", async () => {
    for (const { group, resource, verbs } of operatorRights) {
      for (const verb of Object.keys(verbs)) {
        const question = { group, resource, verb, in: sessionsIn };
        expect(await may(operator, question), JSON.stringify(question)).toBe(true);
      }
    }
  });

  it.each<Question>([
    { group: "millrace.dev", resource: "agenticsessions", verb: "create", in: sessionsIn },
    { group: "millrace.dev", resource: "agenticsessions", verb: "delete", in: sessionsIn },
    { resource: "pods", verb: "create", in: sessionsIn },
    { resource: "pods/exec", verb: "create", in: sessionsIn },
    { resource: "configmaps", verb: "get", in: sessionsIn },
    { resource: "serviceaccounts/token", verb: "create", in: sessionsIn },
    { group: "rbac.authorization.k8s.io", resource: "roles", verb: "create", in: sessionsIn },
    { group: "coordination.k8s.io", resource: "leases", verb: "patch", in: sessionsIn },
    { resource: "nodes", verb: "get" },
    { resource: "users", verb: "impersonate", name: "admin" },
    { resource: "groups", verb: "impersonate", name: "system:masters" },
  ])("may not %o", async (question) => {
    expect(await may(operator, question)).toBe(false);
  });

  it("may act as those that the values name", async () => {
    expect(
      await may(operator, { resource: "users", verb: "impersonate", name: identity.user }),
    ).toBe(true);
    const group = { resource: "groups", verb: "impersonate", name: identity.group };
    expect(await may(operator, group)).toBe(true);
  });

  it("runs twice, apart, with a budget, and is told its settings", async () => {
    const apps = plane.admin().makeApiClient(AppsV1Api);
    const deployed = await apps.readNamespacedDeployment({ namespace, name: "millrace-operator" });
    expect(deployed.status?.readyReplicas).toBe(2);
    const budgets = plane.admin().makeApiClient(PolicyV1Api);
    const { items } = await budgets.listNamespacedPodDisruptionBudget({ namespace });
    expect(items.map(({ spec }) => spec?.maxUnavailable)).toEqual([1]);
    const settings = ["configmap", "millrace-operator", "-o"];
    const path = String.raw`jsonpath={.data.sessions\.json}`;
    const { stdout } = await plane.kubectl("-n", namespace, "get", ...settings, path);
    expect(JSON.parse(stdout)).toMatchObject({
      image: "millrace/runner:0.1.0",
      identities: [identity],
      serviceAccount: "builder",
      env: { COMMAND_TIMEOUT_MS: 6_000_000 },
    });
  });

  it("is bound to one namespace when the values name it", async () => {
    await release("upgrade", { ...enabled, "sessions.namespace": sessionsIn });
    const secrets = { resource: "secrets", verb: "list" };
    await waitUntil("its right elsewhere is gone", async () => {
      return !(await may(operator, { ...secrets, in: "default" }));
    });
    for (const { group, resource, verbs } of operatorRights) {
      for (const verb of Object.keys(verbs)) {
        const question = { group, resource, verb, in: sessionsIn };
        expect(await may(operator, question), JSON.stringify(question)).toBe(true);
      }
    }
  });

  it("may make pods where its warm pool is, and only there", async () => {
    const warm = { "warmPool.size": 2, "warmPool.namespace": sessionsIn };
    await release("upgrade", { ...enabled, "sessions.namespace": sessionsIn, ...warm });
    for (const { group, resource, verbs } of warmRights) {
      for (const verb of Object.keys(verbs)) {
        const name = resource === "configmaps" ? { name: "millrace-warm" } : {};
        const question = { group, resource, verb, in: sessionsIn, ...name };
        expect(await may(operator, question), JSON.stringify(question)).toBe(true);
        expect(await may(operator, { ...question, in: namespace })).toBe(false);
      }
    }
    const settings = ["configmap", "millrace-operator", "-o"];
    const path = String.raw`jsonpath={.data.sessions\.json}`;
    const { stdout } = await plane.kubectl("-n", namespace, "get", ...settings, path);
    expect(JSON.parse(stdout)).toMatchObject({
      warmPool: { size: 2, namespace: sessionsIn, anchor: "millrace-warm" },
    });
  });

  it("is refused a warm pool where it may not work", async () => {
    const warm = { "warmPool.size": 1, "warmPool.namespace": "elsewhere" };
    const values = { ...enabled, "sessions.namespace": sessionsIn, ...warm };
    await expect(renderedRights("any", values)).rejects.toThrow("warmPool.namespace=elsewhere");
  });

  it.each([
    ["somebody of the system", [{ ...identity, user: "system:admin" }], "identities"],
    ["the masters", [{ ...identity, group: "system:masters" }], "identities"],
    ["nobody", [{ owner: "*", namespace: "work" }], "user"],
  ])("is refused %s to act as", async (_, identities, named) => {
    const values = { ...enabled, "sessions.identities": JSON.stringify(identities) };
    await expect(renderedRights("any", values)).rejects.toThrow(named);
  });
});
