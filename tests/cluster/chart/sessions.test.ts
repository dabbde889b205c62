import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ApiException,
  AuthorizationV1Api,
  CustomObjectsApi,
  RbacAuthorizationV1Api,
  type KubeConfig,
} from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { chart, helm, requiredValues, setFlags } from "../support/helm.ts";

const definition = "agenticsessions.millrace.dev.yaml";
const sessions = {
  group: "millrace.dev",
  version: "v1alpha1",
  namespace: "default",
  plural: "agenticsessions",
};

const create = (who: KubeConfig, name: string, spec: Record<string, unknown> = {}) =>
  who.makeApiClient(CustomObjectsApi).createNamespacedCustomObject({
    ...sessions,
    body: {
      apiVersion: "millrace.dev/v1alpha1",
      kind: "AgenticSession",
      metadata: { name },
      spec: { prompt: "hello", ...spec },
    },
  });

it("ships the definition that contracts generate", async () => {
  const generated = await readFile(join(checkout, "operator/manifests", definition), "utf8");
  await expect(generated).toMatchFileSnapshot(join(chart, "files", definition));
});

describe.skipIf(!hasControlPlane)("sessions of the chart", () => {
  let plane: ControlPlane;

  const install = (verb: string, setOwner: boolean) => {
    const values = { ...requiredValues, "sessions.setOwner": setOwner };
    return helm([verb, "millrace", chart, ...setFlags(values)], { KUBECONFIG: plane.kubeconfig });
  };

  beforeAll(async () => {
    // erin may do everything in the namespace, and act as others.
    plane = await startControlPlane({
      people: { alice: [], bob: [], carol: [], dave: [], erin: [] },
    });
    releaseAtEnd(() => plane.stop());
    await install("install", true);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    const rbac = plane.admin().makeApiClient(RbacAuthorizationV1Api);
    const roles = { alice: "view", bob: "edit", carol: "admin", erin: "admin" };
    for (const [name, role] of Object.entries(roles)) {
      await rbac.createNamespacedRoleBinding({
        namespace: "default",
        body: {
          metadata: { name },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
          subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name }],
        },
      });
    }
    const actor = ["--verb=impersonate", "--resource=users"];
    await plane.kubectl("create", "clusterrole", "actor", ...actor);
    await plane.kubectl(
      "create",
      "clusterrolebinding",
      "actor",
      "--clusterrole=actor",
      "--user=erin",
    );
    await waitUntil("carol's role holds sessions", () => may("carol", "deletecollection"));
    // The API server's admission learns of a new kind a little later, and refuses it until then.
    await waitUntil("a session is admitted", () =>
      create(plane.person("bob"), "first").then(
        () => true,
        () => false,
      ),
    );
  });

  const may = async (person: string, verb: string, subresource = "") => {
    const api = plane.person(person).makeApiClient(AuthorizationV1Api);
    const { status } = await api.createSelfSubjectAccessReview({
      body: {
        spec: {
          resourceAttributes: {
            group: sessions.group,
            resource: sessions.plural,
            namespace: sessions.namespace,
            verb,
            subresource,
          },
        },
      },
    });
    return status?.allowed ?? false;
  };

  it("belong to who creates them", async () => {
    expect(await create(plane.person("bob"), "of-bob")).toMatchObject({ spec: { owner: "bob" } });
    expect(await create(plane.person("bob"), "named", { owner: "bob" })).toMatchObject({
      spec: { owner: "bob" },
    });
  });

  it("are refused in another's name, with the field's name", async () => {
    for (const owner of ["alice", "", "system:masters", "bob "]) {
      const refused = create(plane.person("bob"), "forged", { owner });
      await expect(refused).rejects.toThrow("spec.owner: must be bob, who creates this session");
    }
    // Not even by the cluster's administrator, who is bound by no role.
    await expect(create(plane.admin(), "forged", { owner: "bob" })).rejects.toThrow(
      "spec.owner: must be admin",
    );
  });

  it("belong to the impersonated, as the operator makes them for a user of the edge", async () => {
    const file = join(plane.directory, "session.json");
    await writeFile(
      file,
      JSON.stringify({
        apiVersion: "millrace.dev/v1alpha1",
        kind: "AgenticSession",
        metadata: { name: "for-bob" },
        spec: { prompt: "hello" },
      }),
    );
    await plane.kubectlAs("erin", "--as=bob", "create", "-f", file);
    const { stdout } = await plane.kubectl("get", "ags", "for-bob", "-o", "jsonpath={.spec.owner}");
    expect(stdout).toBe("bob");
  });

  it("keep their owner, whoever writes", async () => {
    await create(plane.person("bob"), "kept");
    for (const who of ["bob", "carol"]) {
      for (const patch of ['{"spec":{"owner":"carol"}}', '{"spec":{"owner":null}}']) {
        const args = ["patch", "ags", "kept", "--type=merge", "--patch", patch];
        const change = plane.kubectlAs(who, ...args);
        await expect(change).rejects.toThrow(/owner.*cannot be/);
      }
    }
    // A clone is its creator's, not the original's.
    await expect(
      create(plane.person("carol"), "clone", { parent: "kept", owner: "bob" }),
    ).rejects.toThrow("spec.owner");
    expect(await create(plane.person("carol"), "clone", { parent: "kept" })).toMatchObject({
      spec: { owner: "carol" },
    });
    // What is not an identity may change.
    await plane.kubectlAs("carol", "label", "ags", "kept", "seen=yes");
  });

  const read = ["get", "list", "watch"];
  const write = [...read, "create", "update", "patch", "delete"];
  it.each([
    ["alice", "view", read],
    ["bob", "edit", write],
    ["carol", "admin", [...write, "deletecollection"]],
    ["dave", "no role", []],
  ])("let %s with %s do what the role says and no more", async (person, _, allowed) => {
    for (const verb of [...write, "deletecollection"]) {
      expect(await may(person, verb), verb).toBe(allowed.includes(verb));
    }
    for (const verb of write) {
      expect(await may(person, verb, "status"), `status ${verb}`).toBe(false);
    }
    const answer = await create(plane.person(person), `real-${person}`).then(
      () => 201,
      (error: unknown) => (error as ApiException<unknown>).code,
    );
    expect(answer).toBe(allowed.includes("create") ? 201 : 403);
  });

  it("have their status written by no role that the chart gives", async () => {
    const patch = ["patch", "ags", "kept", "--subresource=status", "--type=merge"];
    const body = '{"status":{"phase":"Completed"}}';
    const forged = plane.kubectlAs("carol", ...patch, "--patch", body);
    await expect(forged).rejects.toThrow("forbidden");
  });

  it("name their owner themselves where the cluster cannot", async () => {
    await install("upgrade", false);
    await waitUntil("the mutating policy is gone", () =>
      create(plane.person("bob"), `unnamed-${Date.now()}`).then(
        () => false,
        () => true,
      ),
    );
    await expect(create(plane.person("bob"), "unnamed")).rejects.toThrow("spec.owner: must be bob");
    expect(await create(plane.person("bob"), "said", { owner: "bob" })).toMatchObject({
      spec: { owner: "bob" },
    });
    await expect(create(plane.person("bob"), "said-2", { owner: "carol" })).rejects.toThrow(
      "owner",
    );
  });

  it("outlive the chart", async () => {
    await helm(["uninstall", "millrace", "--wait"], { KUBECONFIG: plane.kubeconfig });
    const { stdout } = await plane.kubectl("get", "ags", "of-bob", "-o", "jsonpath={.spec.owner}");
    expect(stdout).toBe("bob");
    await install("install", true);
  });
});
