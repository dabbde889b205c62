import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitUntil } from "../../support/wait-until.ts";
import type { ControlPlane } from "../support/control-plane.ts";

const name = "meshed-pods";
const proxy = { name: "proxy", image: "proxy:1" };

/** As a service mesh does it: each pod of the namespace is given a sidecar on its way in. */
export async function untilMeshed(plane: ControlPlane, namespace: string): Promise<void> {
  const create = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"] };
  const made = `Object.spec.initContainers{name: "${proxy.name}", image: "${proxy.image}", restartPolicy: "Always"}`;
  const expression = `Object{spec: Object.spec{initContainers: [${made}]}}`;
  const policy = {
    failurePolicy: "Fail",
    reinvocationPolicy: "Never",
    matchConstraints: {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      resourceRules: [{ ...create, resources: ["pods"] }],
    },
    mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
  };
  const object = (kind: string, spec: object) => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind,
    metadata: { name },
    spec,
  });
  const items = [
    object("MutatingAdmissionPolicy", policy),
    object("MutatingAdmissionPolicyBinding", { policyName: name }),
  ];
  const file = join(plane.directory, `${name}.json`);
  await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  await plane.kubectl("apply", "-f", file);
  const probe = ["-n", namespace, "run", "probe", "--image=x", "--dry-run=server"];
  const path = ["-o", "jsonpath={.spec.initContainers[*].name}"];
  await waitUntil("pods are given a sidecar", async () => {
    const { stdout } = await plane.kubectl(...probe, ...path);
    return stdout === proxy.name;
  });
}

/** Its kubelet has started it again. */
export const killedProxy = () => {
  const now = new Date().toISOString();
  return {
    name: proxy.name,
    image: proxy.image,
    imageID: "",
    ready: true,
    started: true,
    restartCount: 1,
    state: { running: { startedAt: now } },
    lastState: { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: now } },
  };
};
