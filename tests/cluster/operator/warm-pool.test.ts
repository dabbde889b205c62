import { join } from "node:path";
import { CoreV1Api, type V1Pod } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";

const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
const namespace = "default";
const anchor = "millrace-warm";
const identities = [
  { owner: "key:1", user: "carol", namespace },
  { owner: "*", user: "dave", namespace: "elsewhere" },
];
const idle = "millrace.dev/warm-pool=default";

const namesOf = (pods: readonly V1Pod[]) => pods.map(({ metadata }) => metadata?.name ?? "");
const isRunning = ({ status }: V1Pod): boolean => status?.phase === "Running";
const imageOf = ({ spec }: V1Pod) => spec?.containers[0]?.image;
const ownerOf = ({ metadata }: Pick<V1Pod, "metadata">) => metadata?.ownerReferences?.[0];

/** The operator on a real API server; kwok in place of nodes; the test in place of the platform. */
describe.skipIf(!hasControlPlane)("the warm pool", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  let edgeUrl: string;
  const pool = new ScriptedPool();

  const core = () => plane.admin().makeApiClient(CoreV1Api);
  const idlePods = async (): Promise<readonly V1Pod[]> => {
    const { items } = await core().listNamespacedPod({ namespace, labelSelector: idle });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
  };
  const untilIdle = (count: number, fits: (pod: V1Pod) => boolean = () => true) =>
    waitUntil(`${count} pods wait`, async () => {
      const pods = await idlePods();
      return pods.length === count && pods.every((pod) => isRunning(pod) && fits(pod));
    });
  /** The same cluster under other settings. */
  const restart = async (size: number, sessions: Record<string, unknown> = {}) => {
    await operator?.killAndFreeLease();
    operator = new OperatorProcess(plane, {
      edgeUrl,
      sessions: { warmPool: { size, namespace, anchor }, identities, ...sessions },
    });
    await operator.start();
  };

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    await plane.kubectl("apply", "-f", definition);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    await plane.kubectl("create", "configmap", anchor);
    edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    releaseAtEnd(() => operator.kill());
    await restart(2);
  });

  const tokenOf = async (podName: string) => {
    const secret = await core().readNamespacedSecret({ namespace, name: podName });
    expect(ownerOf(secret)).toMatchObject({ kind: "Pod", name: podName });
    return Buffer.from(secret.data?.["token"] ?? "", "base64").toString("utf8");
  };

  it("is filled, each pod with a token of its own that opens nothing else", async () => {
    await untilIdle(2);
    const pods = await idlePods();
    for (const name of namesOf(pods)) expect(await tokenOf(name)).toBe(`warm-${name}`);
    for (const pod of pods) {
      expect(ownerOf(pod)).toMatchObject({ kind: "ConfigMap", name: anchor });
      expect(pod.spec?.automountServiceAccountToken).toBe(false);
      const variables = pod.spec?.containers[0]?.env;
      expect(variables).toContainEqual({ name: "RUNNER_MODE", value: "warm" });
    }
    expect(pool.warmTokens).toHaveLength(2);
    expect(pool.warmTokens[0]).toMatchObject({ namespace, owners: ["key:1"] });
  });

  it("is filled up when somebody deletes a pod, and when one ends", async () => {
    const [gone, spent] = namesOf(await idlePods());
    await plane.kubectl("delete", "pod", gone ?? "");
    const terminated = { exitCode: 0, reason: "Completed", finishedAt: new Date().toISOString() };
    const containerStatuses = [
      {
        name: "runner",
        image: "x",
        imageID: "",
        ready: false,
        restartCount: 0,
        state: { terminated },
      },
    ];
    const body = JSON.stringify({ status: { phase: "Succeeded", containerStatuses } });
    await plane.kubectl(
      "patch",
      "pod",
      spent ?? "",
      "--subresource=status",
      "--type=merge",
      "-p",
      body,
    );
    await waitUntil("two wait", async () => (await idlePods()).filter(isRunning).length === 2);
    const names = namesOf((await idlePods()).filter(isRunning));
    expect(names).not.toContain(gone);
    expect(names).not.toContain(spent);
  });

  it("is as large as it was when its operator was killed", async () => {
    const before = await idlePods();
    await restart(3);
    await waitUntil("three wait", async () => (await idlePods()).filter(isRunning).length === 3);
    const names = namesOf(await idlePods());
    for (const name of namesOf(before.filter(isRunning))) expect(names).toContain(name);
  });

  it("is replaced when what its pods are made from has changed, and emptied when it is scaled to 0", async () => {
    const newer = { image: "localhost/runner:2" };
    await restart(2, newer);
    await untilIdle(2, (pod) => imageOf(pod) === newer.image);
    await restart(0, newer);
    await untilIdle(0);
    expect(await idlePods()).toEqual([]);
  });

  it("goes with the chart's object that it belongs to", async () => {
    await restart(1);
    await untilIdle(1);
    await plane.kubectl("delete", "configmap", anchor);
    await untilIdle(0);
    expect(await idlePods()).toEqual([]);
  });
});
