import { join } from "node:path";
import { BatchV1Api, CoreV1Api, CustomObjectsApi, type V1Pod } from "@kubernetes/client-node";
import type { AgenticSession } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { readMetrics } from "../support/read-metrics.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";

const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
const kind = { group: "millrace.dev", version: "v1alpha1", plural: "agenticsessions" };
const namespace = "default";
const anchor = "millrace-warm";
const size = 2;
const starts = "millrace_session_start_seconds_count";
const claims = "millrace_warm_pool_claims_total";

const nameOf = ({ metadata }: Pick<V1Pod, "metadata">): string => metadata?.name ?? "";
const ownerOf = ({ metadata }: V1Pod) => metadata?.ownerReferences?.[0];

/** The operator on a real API server; kwok in place of nodes; the test in place of the platform and of runners. */
describe.skipIf(!hasControlPlane)("a session with a warm pod", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  const pool = new ScriptedPool();

  const objects = () => plane.admin().makeApiClient(CustomObjectsApi);
  const core = () => plane.admin().makeApiClient(CoreV1Api);
  const read = async (name: string) =>
    (await objects().getNamespacedCustomObject({ ...kind, namespace, name })) as AgenticSession;
  const pods = async (labelSelector: string) =>
    (await core().listNamespacedPod({ namespace, labelSelector })).items.filter(
      ({ metadata }) => !metadata?.deletionTimestamp,
    );
  const idle = async () =>
    (await pods("millrace.dev/warm-pool=default")).filter(
      ({ status }) => status?.phase === "Running",
    );
  const podsOf = (name: string) => pods(`millrace.dev/session=${name}`);
  const jobsOf = async (name: string) => {
    const jobs = await plane.admin().makeApiClient(BatchV1Api).listNamespacedJob({ namespace });
    return jobs.items.filter(({ metadata }) => metadata?.ownerReferences?.[0]?.name === name);
  };
  const untilFull = () => waitUntil("the pool is full", async () => (await idle()).length === size);
  const untilPhase = (name: string, phase: string, reason?: string) =>
    waitUntil(`${name} is ${phase}/${reason ?? "any"}`, async () => {
      const { status } = await read(name);
      return status?.phase === phase && (reason === undefined || status.reason === reason);
    });

  /** A session whose run the platform knows. */
  const create = async (name: string, spec: Record<string, unknown> = {}) => {
    const { group, version } = kind;
    await objects().createNamespacedCustomObject({
      ...kind,
      namespace,
      body: {
        apiVersion: `${group}/${version}`,
        kind: "AgenticSession",
        metadata: { name },
        spec: { prompt: "do it", ...spec },
      },
    });
    await waitUntil(`${name} has a run`, () => pool.runOf(name) !== undefined);
    return pool.runOf(name)?.runId ?? "";
  };
  /** An idle pod's runner accepts the run, as the platform tells the operator. */
  const take = async (runId: string) => {
    await untilFull();
    const [first] = await idle();
    const podName = first ? nameOf(first) : "";
    pool.start(runId, podName);
    return podName;
  };
  const untilAdopted = (name: string, podName: string) =>
    waitUntil(`${podName} is of ${name}`, async () => {
      const owned = await podsOf(name);
      return owned.some((pod) => nameOf(pod) === podName && ownerOf(pod)?.name === name);
    });
  const readAll = async () => readMetrics((await operator.probe("/metrics")) ?? "");
  /** The metrics, once they tell of so many starts: they follow the status. */
  const untilCounted = async (count: number) => {
    await waitUntil(`${count} starts`, async () => (await readAll())(starts) === count);
    return readAll();
  };
  const running = async (name: string) => {
    const runId = await create(name);
    const podName = await take(runId);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await untilAdopted(name, podName);
    await untilPhase(name, "Running");
    return { runId, podName };
  };

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    await plane.kubectl("apply", "-f", definition);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    await plane.kubectl("create", "configmap", anchor);
    const edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    operator = new OperatorProcess(plane, {
      edgeUrl,
      sessions: {
        podAnnotations: { "test/run-for": "1h" },
        warmPool: { size, namespace, anchor },
        identities: [{ owner: "key:1", user: "nobody-with-rights", namespace }],
      },
    });
    await operator.start();
    releaseAtEnd(() => operator.kill());
  });

  it("adopts it, fills the pool up, and takes it away when the run is over", async () => {
    const { runId, podName } = await running("plain");
    const [pod] = await podsOf("plain");
    expect(pod?.metadata?.labels).not.toHaveProperty("millrace.dev/warm-pool");
    expect(pod?.spec?.activeDeadlineSeconds).toBeGreaterThan(7200);
    expect(await jobsOf("plain")).toEqual([]);
    expect(await read("plain")).toMatchObject({
      status: { attempt: 1, podName, warmPod: podName, nodeName: pod?.spec?.nodeName },
    });
    await untilFull();
    expect((await idle()).map(nameOf)).not.toContain(podName);
    pool.change(runId, { status: "succeeded", completedAt: Date.now() - 3_600_000 });
    await untilPhase("plain", "Completed", "Succeeded");
    await waitUntil("its pod is gone", async () => (await podsOf("plain")).length === 0);
    expect(pool.reportsOf(runId)).toEqual([]);
    const metrics = await untilCounted(1);
    expect(metrics(starts, { path: "warm" })).toBe(1);
    expect(metrics(claims, { result: "hit" })).toBe(1);
    expect(metrics(claims, { result: "miss" })).toBe(0);
  });

  it("is told from one that found none, and from one that needs a pod of its own", async () => {
    const before = await readAll();
    for (const [name, spec] of Object.entries({ late: {}, choosy: { env: { A: "1" } } })) {
      const runId = await create(name, spec);
      pool.start(runId);
      await waitUntil("a Job", async () => (await jobsOf(name)).length === 1);
      pool.change(runId, { status: "running", startedAt: Date.now() });
      await untilPhase(name, "Running");
    }
    const after = await untilCounted(before(starts) + 2);
    const more = (...of: Parameters<typeof after>) => after(...of) - before(...of);
    expect(more(starts, { path: "cold" })).toBe(2);
    expect(more(claims, { result: "miss" })).toBe(1);
    expect(more(claims, { result: "hit" })).toBe(0);
  });

  it("is asked for by the platform only where a pod of its own is not needed", async () => {
    const plain = await create("usual", { timeoutSeconds: 60 });
    const special = await create("special", { env: { A: "1" } });
    expect(pool.runs.get(plain)?.body.needsOwnPod).toBe(false);
    expect(pool.runs.get(special)?.body.needsOwnPod).toBe(true);
  });

  it("reports its death as any pod's, and goes on in a pod of its own", async () => {
    const { runId, podName } = await running("killed");
    await core().deleteNamespacedPod({ namespace, name: podName, gracePeriodSeconds: 0 });
    await waitUntil("a report", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      kind: "ended",
      reason: "PodDeleted",
      attempt: 1,
      retryable: true,
    });
    pool.start(runId);
    await waitUntil("a Job", async () => (await jobsOf("killed")).length === 1);
    await waitUntil("attempt 2", async () => (await read("killed")).status?.attempt === 2);
    expect((await read("killed")).status).not.toHaveProperty("warmPod");
  });

  it("loses it before the claim without a failure: another warm pod, then a Job, has the attempt", async () => {
    const runId = await create("unlucky");
    const first = await take(runId);
    await untilAdopted("unlucky", first);
    const [second] = (await idle()).map(nameOf);
    pool.giveTo(runId, second ?? "");
    await untilAdopted("unlucky", second ?? "");
    await waitUntil("one pod has the attempt", async () => {
      const names = (await podsOf("unlucky")).map(nameOf);
      return names.length === 1 && names[0] === second;
    });
    await core().deleteNamespacedPod({ namespace, name: second ?? "", gracePeriodSeconds: 0 });
    pool.giveTo(runId, null);
    await waitUntil("a Job", async () => (await jobsOf("unlucky")).length === 1);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await untilPhase("unlucky", "Running");
    expect(await read("unlucky")).toMatchObject({ status: { attempt: 1 } });
    expect(await podsOf("unlucky")).toHaveLength(1);
    expect(pool.reportsOf(runId)).toEqual([]);
  });

  it("leaves a pod to the session that has it", async () => {
    const { runId: one, podName } = await running("first");
    const other = await create("second");
    pool.start(other, podName);
    await untilPhase("second", "Creating");
    const [pod] = await podsOf("first");
    expect(nameOf(pod ?? {})).toBe(podName);
    expect(await podsOf("second")).toEqual([]);
    pool.giveTo(other, null);
    await waitUntil("a Job", async () => (await jobsOf("second")).length === 1);
    expect([one, other].flatMap((runId) => pool.reportsOf(runId))).toEqual([]);
  });

  it("ends it when it is deleted", async () => {
    const { podName, runId } = await running("deleted");
    await objects().deleteNamespacedCustomObject({ ...kind, namespace, name: "deleted" });
    await waitUntil("all is gone", () =>
      read("deleted").then(
        () => false,
        () => true,
      ),
    );
    expect(pool.runs.get(runId)?.run.status).toBe("cancelled");
    expect((await podsOf("deleted")).map(nameOf)).not.toContain(podName);
  });

  it("has no pod when its user may not create sessions: the runner that took the run is ended", async () => {
    await untilFull();
    const [taken] = (await idle()).map(nameOf);
    const runId = pool.createAtEdge("key:1");
    pool.start(runId, taken ?? "");
    await waitUntil("a refusal", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({ reason: "OwnerNotPermitted" });
    await waitUntil(
      "its pod is gone",
      async () => !(await idle()).map(nameOf).includes(taken ?? ""),
    );
    await untilFull();
  });

  it("is found again by an operator that was killed between the claim and the adoption", async () => {
    const runId = await create("orphan");
    await untilFull();
    await operator.killAndFreeLease();
    const podName = await take(runId);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await operator.start();
    // Once more, in the middle of whatever it does first.
    await waitUntil("it is told", () => pool.status?.leader === true);
    await operator.replace();
    await untilAdopted("orphan", podName);
    await untilPhase("orphan", "Running");
    expect((await podsOf("orphan")).map(nameOf)).toEqual([podName]);
    expect(await jobsOf("orphan")).toEqual([]);
    await untilFull();
    expect(pool.reportsOf(runId)).toEqual([]);
  });
});
