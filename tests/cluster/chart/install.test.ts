import { AppsV1Api, CoreV1Api } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";
import { valuesVariants } from "../support/values-variants.ts";

const namespace = "agents";
const runner = { namespace, name: "millrace-runner" };

/** Against a real API server that enforces Pod Security; kwok pretends to run the pods. */
describe.skipIf(!hasControlPlane)("the chart, installed", () => {
  let plane: ControlPlane;
  let core: CoreV1Api;
  let apps: AppsV1Api;

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    core = plane.admin().makeApiClient(CoreV1Api);
    apps = plane.admin().makeApiClient(AppsV1Api);
    await makeNamespace();
  });

  async function makeNamespace(): Promise<void> {
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await core.createNamespace({ body: { metadata: { name: namespace, labels } } });
    await core.createNamespacedSecret({
      namespace,
      body: { metadata: { name: "millrace-pool" }, stringData: { token: "pool-token" } },
    });
    await waitUntil("the namespace has its account", () =>
      core.readNamespacedServiceAccount({ namespace, name: "default" }).then(
        () => true,
        () => false,
      ),
    );
  }

  const release = (verb: string, values: Values = {}, ...more: readonly string[]) =>
    helm(
      [
        verb,
        "millrace",
        chart,
        "--namespace",
        namespace,
        ...setFlags({ ...requiredValues, ...values }),
        ...more,
      ],
      { KUBECONFIG: plane.kubeconfig },
    );

  const runnerPods = async () => {
    const labelSelector = "app.kubernetes.io/component=runner";
    const { items } = await core.listNamespacedPod({ namespace, labelSelector });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
  };

  it.each(Object.entries(valuesVariants))(
    "is accepted by the API server with %s",
    async (_, values) => {
      const { stdout } = await release("install", values, "--dry-run=server");
      expect(stdout).toContain("STATUS: pending-install");
    },
  );

  it("installs, upgrades without new pods, rolls back and leaves nothing", async () => {
    const installed = await release("install", {}, "--wait", "--timeout", "120s");
    expect(installed.stdout).toContain("No model can be called yet");
    const [pod] = await runnerPods();
    expect(pod?.status?.phase).toBe("Running");

    // Another number of runners is no reason to stop one that works.
    await release("upgrade", { "runners.replicas": 2 }, "--wait", "--timeout", "120s");
    const uids = (await runnerPods()).map(({ metadata }) => metadata?.uid);
    expect(uids).toHaveLength(2);
    expect(uids).toContain(pod?.metadata?.uid);

    await release("upgrade", { "runners.slots": 2 }, "--wait", "--timeout", "120s");
    await helm(["rollback", "millrace", "1", "--namespace", namespace, "--wait"], {
      KUBECONFIG: plane.kubeconfig,
    });
    const { spec } = await apps.readNamespacedDeployment(runner);
    expect(spec?.replicas).toBe(1);
    expect(spec?.template.spec?.containers[0]?.env).toContainEqual({
      name: "RUNNER_SLOTS",
      value: "4",
    });

    await helm(["uninstall", "millrace", "--namespace", namespace, "--wait"], {
      KUBECONFIG: plane.kubeconfig,
    });
    await waitUntil("no pod runs", async () => (await runnerPods()).length === 0);
    const kinds = "deployment,networkpolicy,serviceaccount,hpa";
    const { stdout } = await plane.kubectl("-n", namespace, "get", kinds, "-o", "name");
    expect(stdout.trim().split("\n")).toEqual(["serviceaccount/default"]);
  });

  it("gives what runs there no right at all", async () => {
    await release("install", {});
    const config = await plane.serviceAccount(namespace, runner.name);
    const stolen = config.makeApiClient(CoreV1Api);
    await expect(stolen.listNamespacedSecret({ namespace })).rejects.toMatchObject({ code: 403 });
    await expect(stolen.listNamespacedPod({ namespace })).rejects.toMatchObject({ code: 403 });
  });
});
