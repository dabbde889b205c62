import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AuthorizationV1Api } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";

const crd = "crd/agenticsessions.millrace.dev";
const mutating = "admissionregistration.k8s.io/v1/mutatingadmissionpolic";

/** As before Kubernetes 1.36: nothing there can write a session's owner into it. */
const older = [
  `--runtime-config=${mutating}ies=false,${mutating}ybindings=false`,
  "--disable-admission-plugins=MutatingAdmissionPolicy",
];

describe.skipIf(!hasControlPlane)("releases in a cluster that cannot set owners", () => {
  let plane: ControlPlane;

  const release = (verb: string, name: string, values: Values = {}, from = chart) => {
    const flags = setFlags({ ...requiredValues, "runners.enabled": false, ...values });
    return helm([verb, name, from, "--namespace", name, "--create-namespace", ...flags], {
      KUBECONFIG: plane.kubeconfig,
    });
  };

  const apply = async (who: string, name: string, spec: object, namespace = "first") => {
    const file = join(plane.directory, `${name}.json`);
    const session = {
      apiVersion: "millrace.dev/v1alpha1",
      kind: "AgenticSession",
      metadata: { name, namespace },
      spec: { prompt: "hello", ...spec },
    };
    await writeFile(file, JSON.stringify(session));
    return plane.kubectlAs(who, "create", "-f", file);
  };

  const reads = (what: string, path: string) =>
    plane.kubectl("get", ...what.split(" "), "-o", `jsonpath=${path}`).then(({ stdout }) => stdout);

  beforeAll(async () => {
    plane = await startControlPlane({ apiServerFlags: older, people: { bob: [] } });
    releaseAtEnd(() => plane.stop());
  });

  it("installs without the policy that sets owners, and says that people do so", async () => {
    const { stdout } = await release("install", "first");
    expect(stdout).toContain("owner: YOU");
    await plane.kubectl("wait", "--for=condition=Established", crd);
    const bind = ["create", "rolebinding", "bob", "--clusterrole=edit", "--user=bob"];
    await plane.kubectl(...bind, "--namespace=first");
    await waitUntil("bob's session is admitted", () =>
      apply("bob", "named", { owner: "bob" }).then(
        () => true,
        () => false,
      ),
    );
    for (const [name, spec] of [
      ["unnamed", {}],
      ["forged", { owner: "alice" }],
      ["clone", { parent: "named", owner: "system:masters" }],
    ] as const) {
      const refused = "spec.owner: must be bob, who creates this session";
      await expect(apply("bob", name, spec)).rejects.toThrow(refused);
    }
    expect(await reads("ags named -n first", "{.spec.owner}")).toBe("bob");
  });

  it("are refused a second one of the whole cluster, with the values that help", async () => {
    const named = /release first of namespace first.*sessions\.shared=false.*sessions\.namespace/s;
    await expect(release("install", "second")).rejects.toThrow(named);
    await expect(release("install", "second", { "sessions.shared": false })).rejects.toThrow(
      "sessions.namespace",
    );
  });

  it("serve a namespace each, side by side, and one goes without the other", async () => {
    await release("upgrade", "first", { "sessions.namespace": "first" });
    await plane.kubectl("create", "namespace", "work");
    const beside = { "sessions.shared": false, "sessions.namespace": "work", "pool.name": "other" };
    await release("install", "second", beside);
    const second = await plane.serviceAccount("second", "second-millrace-operator");
    const may = async (namespace: string) => {
      const resourceAttributes = { namespace, verb: "delete", resource: "pods" };
      const review = { body: { spec: { resourceAttributes } } };
      const api = second.makeApiClient(AuthorizationV1Api);
      return (await api.createSelfSubjectAccessReview(review)).status?.allowed;
    };
    await waitUntil("its rights are known", async () => (await may("work")) === true);
    expect(await may("first")).toBe(false);
    await helm(["uninstall", "second", "--namespace", "second", "--wait"], {
      KUBECONFIG: plane.kubeconfig,
    });
    expect(await reads("ags named -n first", "{.spec.owner}")).toBe("bob");
    await expect(apply("bob", "forged", { owner: "alice" })).rejects.toThrow("spec.owner");
  });

  it("get a changed definition by an upgrade, and the former by a rollback", async () => {
    const next = join(plane.directory, "next");
    await cp(chart, next, { recursive: true });
    const file = join(next, "files/agenticsessions.millrace.dev.yaml");
    const text = await readFile(file, "utf8");
    const field = /^( +)displayName:$/m;
    expect(text).toMatch(field);
    await writeFile(file, text.replace(field, "$1tomorrow:\n$1  type: string\n$1displayName:"));
    await release("upgrade", "first", { "sessions.namespace": "first" }, next);
    const path = "{.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.tomorrow}";
    expect(await reads(crd, path)).toContain("string");
    await waitUntil("the new field is served", async () => {
      const name = `new-${Date.now()}`;
      await apply("bob", name, { owner: "bob", tomorrow: "yes" }).catch(() => undefined);
      return (await reads(`ags -n first`, "{.items[*].spec.tomorrow}")).includes("yes");
    });
    await helm(["rollback", "first", "--namespace", "first"], { KUBECONFIG: plane.kubeconfig });
    expect(await reads(crd, path)).toBe("");
    expect(await reads("ags named -n first", "{.spec.owner}")).toBe("bob");
  });
});
