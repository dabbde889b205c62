import { join } from "node:path";
import { BatchV1Api, CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import type { AgenticSession } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";

const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
const kind = { group: "millrace.dev", version: "v1alpha1", plural: "agenticsessions" };
const namespace = "default";

/** The operator on a real API server; kwok in place of nodes; the test in place of the platform. */
describe.skipIf(!hasControlPlane)("the life of a session", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  const pool = new ScriptedPool();

  const objects = () => plane.admin().makeApiClient(CustomObjectsApi);
  const core = () => plane.admin().makeApiClient(CoreV1Api);
  const read = async (name: string) =>
    (await objects().getNamespacedCustomObject({ ...kind, namespace, name })) as AgenticSession;
  const create = (name: string, spec: Record<string, unknown> = {}) =>
    objects().createNamespacedCustomObject({
      ...kind,
      namespace,
      body: {
        apiVersion: "millrace.dev/v1alpha1",
        kind: "AgenticSession",
        metadata: { name },
        spec: { prompt: "do it", ...spec },
      },
    });
  const remove = (name: string) =>
    objects().deleteNamespacedCustomObject({ ...kind, namespace, name });
  const patch = (name: string, spec: object) =>
    plane.kubectl("patch", "ags", name, "--type=merge", "-p", JSON.stringify({ spec }));
  const untilPhase = (name: string, phase: string, reason?: string) =>
    waitUntil(`${name} is ${phase}/${reason ?? "any"}`, async () => {
      const { status } = await read(name);
      return status?.phase === phase && (reason === undefined || status.reason === reason);
    });
  const podsOf = async (name: string) => {
    const pods = await core().listNamespacedPod({ namespace });
    return pods.items.filter(
      ({ metadata }) => metadata?.annotations?.["millrace.dev/session-name"] === name,
    );
  };
  const jobsOf = async (name: string) => {
    const batch = plane.admin().makeApiClient(BatchV1Api);
    const jobs = await batch.listNamespacedJob({ namespace });
    return jobs.items.filter(({ metadata }) =>
      metadata?.ownerReferences?.some((owner) => owner.name === name),
    );
  };
  const untilGone = (name: string) =>
    waitUntil(`nothing of ${name} runs`, async () => (await jobsOf(name)).length === 0);
  /** As kubelet says it when the container has ended. */
  const end = async (name: string, exitCode = 0, reason = "Completed") => {
    const [pod] = await podsOf(name);
    if (!pod) return;
    const finishedAt = new Date().toISOString();
    const status = {
      phase: exitCode === 0 ? "Succeeded" : "Failed",
      containerStatuses: pod.status?.containerStatuses?.map(
        ({ name: container, image, imageID }) => ({
          name: container,
          image,
          imageID,
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode, reason, finishedAt } },
        }),
      ),
    };
    const body = JSON.stringify({ status });
    const ref = pod.metadata?.name ?? "";
    const patched = ["pod", ref, "--subresource=status", "--type=merge", "-p", body];
    await plane.kubectl("patch", ...patched).catch(async (error: unknown) => {
      // The operator may have taken it away already; then it has ended, too.
      if ((await podsOf(name)).some(({ metadata }) => metadata?.name === ref)) throw error;
    });
  };
  /** Until the platform has its run; then the first attempt is asked for. */
  const started = async (name: string, spec: Record<string, unknown> = {}) => {
    await create(name, spec);
    await waitUntil(`${name} has a run`, () => pool.runOf(name) !== undefined);
    const runId = pool.runOf(name)?.runId ?? "";
    pool.start(runId);
    await waitUntil(`${name} has a pod`, async () =>
      (await podsOf(name)).some(({ status }) => status?.phase === "Running"),
    );
    return runId;
  };
  const running = async (name: string, spec: Record<string, unknown> = {}) => {
    const runId = await started(name, spec);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await untilPhase(name, "Running");
    return runId;
  };

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    await plane.kubectl("apply", "-f", definition);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    const edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    const sessions = {
      podAnnotations: { "test/run-for": "1h" },
      identities: [{ owner: "key:1", user: "carol", namespace }],
    };
    operator = new OperatorProcess(plane, { edgeUrl, sessions });
    await operator.start();
    releaseAtEnd(() => operator.kill());
    await plane.kubectl(
      "create",
      "rolebinding",
      "carol",
      "--clusterrole=cluster-admin",
      "--user=carol",
    );
  });

  it("goes from apply to Completed, with a Job of its own, and leaves nothing", async () => {
    const runId = await running("plain");
    const [job] = await jobsOf("plain");
    expect(job?.metadata?.name).toBe("plain-1");
    expect(job?.metadata?.ownerReferences?.[0]).toMatchObject({
      controller: true,
      blockOwnerDeletion: true,
    });
    const [pod] = await podsOf("plain");
    expect(pod?.spec?.automountServiceAccountToken).toBe(false);
    expect(await read("plain")).toMatchObject({
      status: { runId, attempt: 1, podName: pod?.metadata?.name, url: `/v1/runs/${runId}` },
    });
    pool.change(runId, { status: "succeeded", completedAt: Date.now() });
    await untilPhase("plain", "Completed");
    await end("plain");
    await untilGone("plain");
    expect(pool.reportsOf(runId)).toEqual([]);
  });

  it("executes a run of the edge in the name of its user, and nobody else's", async () => {
    const runId = pool.createAtEdge("key:1");
    pool.start(runId);
    const name = `run-${runId}`;
    await waitUntil("it has a pod", async () => (await podsOf(name)).length === 1);
    expect((await read(name)).spec.owner).toBe("carol");
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await untilPhase(name, "Running");
    const stranger = pool.createAtEdge("key:2");
    pool.start(stranger);
    await waitUntil("it is refused", () => pool.reportsOf(stranger).length === 1);
    expect(pool.reportsOf(stranger)[0]).toMatchObject({
      reason: "OwnerNotPermitted",
      retryable: false,
    });
  });

  it("pauses, and goes on in another pod", async () => {
    const runId = await running("paused");
    await patch("paused", { desiredState: "Stopped" });
    await waitUntil("the platform was asked", () => pool.runOf("paused")?.stopping === true);
    await untilPhase("paused", "Stopping");
    pool.change(runId, { status: "waiting", stopping: false });
    await end("paused");
    await untilPhase("paused", "Stopped", "Stopped");
    await untilGone("paused");
    await patch("paused", { desiredState: "Running" });
    await waitUntil("the second pod is there", async () => {
      return (await jobsOf("paused")).some(({ metadata }) => metadata?.name === "paused-2");
    });
    expect(pool.reportsOf(runId)).toEqual([]);
  });

  it("cancels the run of a session that is deleted, and goes", async () => {
    const runId = await running("deleted");
    await remove("deleted");
    await waitUntil("the run is cancelled", () => pool.runOf("deleted")?.status === "cancelled");
    await waitUntil("the pod is told to end", async () =>
      (await podsOf("deleted")).every(({ metadata }) => metadata?.deletionTimestamp !== undefined),
    );
    await end("deleted");
    await waitUntil("the session is gone", () =>
      read("deleted").then(
        () => false,
        () => true,
      ),
    );
    expect(pool.revoked).toContain(runId);
    await untilGone("deleted");
  });

  it("reports a pod killed for its memory, and clears it away for the next attempt", async () => {
    const runId = await running("hungry");
    await end("hungry", 137, "OOMKilled");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      attempt: 1,
      kind: "ended",
      reason: "OutOfMemory",
      retryable: true,
      evidence: { exitCode: 137, container: "runner" },
    });
    pool.change(runId, { status: "queued", failures: 1 });
    await untilGone("hungry");
    pool.start(runId);
    await waitUntil("the next is there", async () => (await jobsOf("hungry")).length === 1);
    pool.change(runId, { status: "running" });
    await untilPhase("hungry", "Running");
    expect(await read("hungry")).toMatchObject({ status: { attempt: 2 } });
  });

  it("reports a Job and a Secret deleted by hand", async () => {
    const runId = await running("robbed");
    await plane.kubectl("delete", "secret", "robbed-1");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]?.reason).toBe("SecretDeleted");
    const other = await running("bereft");
    await plane.kubectl("delete", "job", "bereft-1", "--cascade=background", "--wait=false");
    await waitUntil("it is reported", () => pool.reportsOf(other).length === 1);
    expect(pool.reportsOf(other)[0]).toMatchObject({ reason: "JobDeleted", retryable: true });
  });

  it("fails an attempt at its start deadline", async () => {
    const runId = await started("late", { startDeadlineSeconds: 5 });
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      kind: "start_failed",
      reason: "NotConnected",
    });
  });

  it("says what a session names and the cluster has not, and creates nothing", async () => {
    await create("careless", { secretRefs: ["absent"] });
    await untilPhase("careless", "Pending", "SecretMissing");
    expect(pool.runOf("careless")).toBeUndefined();
    const runId = await started("plain-image", { displayName: "with an image of ours" });
    expect(pool.reportsOf(runId)).toEqual([]);
    await create("foreign", { image: "evil.example/x:1" });
    await waitUntil("it has a run", () => pool.runOf("foreign") !== undefined);
    const foreign = pool.runOf("foreign")?.runId ?? "";
    pool.start(foreign);
    await waitUntil("it is refused", () => pool.reportsOf(foreign).length === 1);
    expect(pool.reportsOf(foreign)[0]).toMatchObject({ reason: "InvalidSpec", retryable: false });
    expect(await jobsOf("foreign")).toEqual([]);
  });

  it("stops a pod when the platform says so, and reports that it is dead", async () => {
    const runId = await running("stopped");
    pool.change(runId, { status: "cancelling" });
    pool.stop(runId, "cancel");
    await waitUntil("the pod is told to end", async () =>
      (await podsOf("stopped")).every(({ metadata }) => metadata?.deletionTimestamp !== undefined),
    );
    await end("stopped", 143, "Error");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({ kind: "stopped", attempt: 1 });
  });

  it("keeps a report in the status while the edge is away, and the pods of others", async () => {
    const runId = await running("cut-off");
    await running("bystander");
    pool.setAway(true);
    await end("cut-off", 1, "Error");
    await waitUntil("the report is stored", async () => {
      const { status } = await read("cut-off");
      return status?.reports?.length === 1;
    });
    // Another process knows of it only by the status.
    await operator.kill();
    await operator.start();
    pool.setAway(false);
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]?.reason).toBe("RunnerExited");
    await waitUntil("the status lets it go", async () => {
      return (await read("cut-off")).status?.reports === undefined;
    });
    expect((await podsOf("bystander")).length).toBe(1);
  });

  it("makes one Job per attempt, however often it is killed in between", async () => {
    const names = ["torn-a", "torn-b"];
    for (const name of names) await create(name);
    for (const name of names) {
      await operator.kill();
      await operator.start();
      await waitUntil(`${name} has a run`, () => pool.runOf(name) !== undefined);
      pool.start(pool.runOf(name)?.runId ?? "");
      await operator.kill();
      await operator.start();
      await waitUntil(`${name} has a pod`, async () => (await podsOf(name)).length === 1);
    }
    for (const name of names) {
      pool.change(pool.runOf(name)?.runId ?? "", { status: "running" });
      await untilPhase(name, "Running");
      expect((await jobsOf(name)).map(({ metadata }) => metadata?.name)).toEqual([`${name}-1`]);
      expect((await podsOf(name)).length).toBe(1);
      expect(pool.reportsOf(pool.runOf(name)?.runId ?? "")).toEqual([]);
    }
  }, 300_000);
});
