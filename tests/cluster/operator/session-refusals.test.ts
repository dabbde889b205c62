import { CoreV1Api, setHeaderOptions } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";
import { exits, failedMount, final, shapes, stuck } from "./pod-shapes.ts";
import { killedProxy, untilMeshed } from "./sidecar.ts";

const namespace = "default";
const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

const nameOf = (reason: string) => `start-${reason.toLowerCase()}`;

describe.skipIf(!hasControlPlane)("what the cluster does not do for a session", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  let cluster: SessionCluster;
  const pool = new ScriptedPool();

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    cluster = new SessionCluster(plane, pool);
    await cluster.define();
    for (const name of ["full", "crowded", "strict", "doomed", "meshed"])
      await plane.kubectl("create", "namespace", name);
    const quota = (name: string, what: string) =>
      plane.kubectl("-n", name, "create", "quota", "small", `--hard=count/${what}=0`);
    await quota("full", "agenticsessions.millrace.dev");
    await quota("crowded", "jobs.batch");
    const role = ["--clusterrole=cluster-admin", "--user=carol"];
    await plane.kubectl("create", "clusterrolebinding", "carol", ...role);
    const edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    const sessions = {
      podAnnotations: { "test/run-for": "1h" },
      resources: { limits: { memory: "256Mi" } },
      identities: [
        { owner: "key:nobody-knows", user: "dave", namespace },
        { owner: "key:nowhere", user: "carol", namespace: "nowhere" },
        { owner: "key:full", user: "carol", namespace: "full" },
        { owner: "key:crowded", user: "carol", namespace: "crowded" },
        { owner: "key:strict", user: "carol", namespace: "strict" },
        { owner: "key:doomed", user: "carol", namespace: "doomed" },
        { owner: "key:meshed", user: "carol", namespace: "meshed" },
      ],
    };
    operator = new OperatorProcess(plane, { edgeUrl, sessions });
    await operator.start();
    releaseAtEnd(() => operator.kill());
  });

  const refused: readonly (readonly [string, string, RegExp, boolean])[] = [
    ["key:unmapped", "OwnerNotPermitted", /knows no user for key:unmapped/, false],
    ["key:nobody-knows", "OwnerNotPermitted", /"dave" cannot create resource/, false],
    ["key:nowhere", "NamespaceMissing", /namespaces "nowhere" not found/, false],
    ["key:full", "QuotaExceeded", /quota: small/, true],
  ];

  it("ends what may not begin with the API server's words, also when the operator dies in between", async () => {
    const lost = new Set<string>();
    pool.lost = lost;
    const runs = refused.map(([owner]) => pool.createAtEdge(owner));
    for (const runId of runs) pool.start(runId);
    await waitUntil("it has refused them", () => lost.size === runs.length);
    await operator.kill();
    pool.lost = undefined;
    await operator.start();
    for (const [index, [, reason, words, retryable]] of refused.entries()) {
      const runId = runs[index] ?? "";
      await waitUntil(`${reason} is reported`, () => pool.reportsOf(runId).length === 1);
      const report = { kind: "start_failed", attempt: 1, reason, retryable };
      expect(pool.reportsOf(runId)[0]).toMatchObject(report);
      expect(pool.reportsOf(runId)[0]?.message).toMatch(words);
      expect(pool.reportsOf(runId)[0]?.message).not.toMatch(/\.ts|at .*:\d+/);
      expect(await cluster.find(`run-${runId}`)).toBeUndefined();
    }
  });

  it("waits for room for its Job until the start deadline, and says so", async () => {
    const runId = pool.createAtEdge("key:crowded");
    pool.start(runId);
    const read = async (jsonpath: string) => {
      const ref = ["-n", "crowded", "get", "ags", `run-${runId}`];
      return (await plane.kubectl(...ref, "-o", `jsonpath=${jsonpath}`)).stdout;
    };
    const whole = "{.status.phase}/{.status.reason}";
    await waitUntil("it says so", async () => {
      return (await read(whole).catch(() => "")) === "Creating/QuotaExceeded";
    });
    expect(await read("{.status.message}")).toContain("exceeded quota: small");
    expect(pool.reportsOf(runId)).toEqual([]);
    await plane.kubectl("-n", "crowded", "delete", "quota", "small");
    // A change wakes it before its time.
    await plane.kubectl("-n", "crowded", "annotate", "ags", `run-${runId}`, "look=again");
    await waitUntil("it has its Job", async () => {
      const jobs = await plane.kubectl("-n", "crowded", "get", "jobs", "-o", "name");
      return jobs.stdout.includes(`run-${runId}-1`);
    });
  });

  it("shows the model that the run uses, and what it has used at its end", async () => {
    const runId = await cluster.running("modelled");
    expect((await cluster.read("modelled")).status?.model).toBeUndefined();
    pool.change(runId, { model: "gpt-5" });
    await waitUntil("it shows", async () => {
      return (await plane.kubectl("get", "ags", "modelled")).stdout.includes("gpt-5");
    });
    const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15 };
    pool.change(runId, { status: "succeeded", completedAt: Date.now(), usage });
    await cluster.untilPhase("modelled", "Completed");
    expect((await cluster.read("modelled")).status?.usage).toEqual(usage);
  });

  it("tells the pool of its sessions as they change", async () => {
    await cluster.running("counted");
    await waitUntil("the pool knows", async () => {
      const phases = ["get", "ags", "-A", "-o", "jsonpath={.items[*].status.phase}"];
      const all = (await plane.kubectl(...phases)).stdout.split(" ");
      return pool.status?.sessions["Running"] === all.filter((one) => one === "Running").length;
    });
    expect(pool.status).toMatchObject({ leader: true });
  });

  it("reports what became of the pods of others that died as the cluster does it", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    const names = Object.keys(shapes).map((shape) => [shape, shape.toLowerCase()] as const);
    await Promise.all(names.map(([, name]) => cluster.running(name)));
    for (const [shape, name] of names) {
      const reason = shape.replace(/-.*/, "");
      const [pod] = await cluster.podsOf(name);
      const body = { status: pod && shapes[shape]?.(pod) };
      const patch = { name: pod?.metadata?.name ?? "", namespace, body };
      await core.patchNamespacedPodStatus(patch, mergePatch);
      const runId = pool.runOf(name)?.runId ?? "";
      await waitUntil(`${reason} is reported`, () => pool.reportsOf(runId).length === 1);
      expect(pool.reportsOf(runId)[0]).toMatchObject({ kind: "ended", reason });
      expect(pool.reportsOf(runId)[0]?.retryable).toBe(!final.has(reason));
    }
  });

  it("reports a sidecar that was killed for its memory", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    const there = { namespace: "meshed" };
    await untilMeshed(plane, there.namespace);
    const runId = pool.createAtEdge("key:meshed");
    pool.start(runId);
    const pods = async () => (await core.listNamespacedPod(there)).items;
    await waitUntil("it has a pod that runs", async () => {
      return (await pods())[0]?.status?.phase === "Running";
    });
    const [pod] = await pods();
    const name = pod?.metadata?.name ?? "";
    const body = { status: { initContainerStatuses: [killedProxy()] } };
    await core.patchNamespacedPodStatus({ ...there, name, body }, mergePatch);
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    const report = { reason: "OutOfMemory", retryable: true };
    expect(pool.reportsOf(runId)[0]).toMatchObject(report);
    expect(pool.reportsOf(runId)[0]?.message).toContain("proxy");
  });

  const startReports = (reason: string) => pool.reportsOf(pool.runOf(nameOf(reason))?.runId ?? "");

  it("reports what keeps a pod from starting, and waits for what may still come", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    // Nodes are there, and nobody starts what they are given.
    await plane.signalComponent("kwok", "SIGSTOP");
    const patient: Readonly<Record<string, Record<string, unknown>>> = {
      Unschedulable: { resources: { requests: { cpu: "1000" } } },
      VolumeNotBound: { storage: { mode: "persistent", size: "1Gi", className: "no-such" } },
      VolumeNotMounted: {},
    };
    const specs = { ...Object.fromEntries(Object.keys(stuck).map((one) => [one, {}])), ...patient };
    const started = Object.entries(specs).map(async ([reason, spec]) => {
      await cluster.create(nameOf(reason), spec);
      pool.start(await cluster.untilRun(nameOf(reason)));
      await waitUntil(`${reason} has a pod`, async () => {
        const [pod] = await cluster.podsOf(nameOf(reason));
        return pod?.status?.conditions?.some(({ type }) => type === "PodScheduled") ?? false;
      });
    });
    await Promise.all(started);
    for (const [reason, shape] of Object.entries(stuck)) {
      const [pod] = await cluster.podsOf(nameOf(reason));
      const body = { status: pod && shape(pod) };
      const patch = { name: pod?.metadata?.name ?? "", namespace, body };
      await core.patchNamespacedPodStatus(patch, mergePatch);
      await waitUntil(`${reason} is reported`, () => startReports(reason).length === 1);
      const report = { kind: "start_failed", reason, retryable: !final.has(reason) };
      expect(startReports(reason)[0]).toMatchObject(report);
    }
    const [unmounted] = await cluster.podsOf(nameOf("VolumeNotMounted"));
    await core.createNamespacedEvent({ namespace, body: failedMount(unmounted, namespace) });
    for (const reason of Object.keys(patient)) {
      await cluster.untilPhase(nameOf(reason), "Creating", reason);
      expect(startReports(reason)).toEqual([]);
    }
    await plane.signalComponent("kwok", "SIGCONT");
  });

  it("reports a Job whose pod the cluster's policies refuse", async () => {
    const limit = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "small" } };
    const spec = { limits: [{ type: "Container", max: { memory: "1Mi" } }] };
    const core = plane.admin().makeApiClient(CoreV1Api);
    await core.createNamespacedLimitRange({ namespace: "strict", body: { ...limit, spec } });
    const runId = pool.createAtEdge("key:strict");
    pool.start(runId);
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    const report = { kind: "start_failed", reason: "AdmissionDenied", retryable: false };
    expect(pool.reportsOf(runId)[0]).toMatchObject(report);
    expect(pool.reportsOf(runId)[0]?.message).toContain("maximum memory usage");
  });

  it("says that the namespace is going, and is in nobody's way there", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    const inDoomed = { namespace: "doomed" };
    const runId = pool.createAtEdge("key:doomed");
    pool.start(runId);
    const pods = async () => (await core.listNamespacedPod(inDoomed)).items;
    await waitUntil("it runs", async () => (await pods())[0]?.status?.phase === "Running");
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await plane.kubectl("delete", "namespace", "doomed", "--wait=false");
    // Pods go first, the session when they have gone: its runner hands the run back.
    await waitUntil("its pod is to end", async () =>
      (await pods()).every(({ metadata }) => metadata?.deletionTimestamp !== undefined),
    );
    pool.change(runId, { status: "queued" });
    pool.start(runId);
    await waitUntil("the next attempt is refused", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      attempt: 2,
      kind: "start_failed",
      reason: "NamespaceTerminating",
      retryable: false,
    });
    pool.change(runId, { status: "failed", completedAt: Date.now() });
    for (const pod of await pods()) {
      const body = { status: exits(143)(pod) };
      const ref = { ...inDoomed, name: pod.metadata?.name ?? "" };
      await core.patchNamespacedPodStatus({ ...ref, body }, mergePatch);
    }
    await waitUntil(
      "the namespace is gone",
      async () => {
        const { stdout } = await plane.kubectl("get", "namespaces", "-o", "name");
        return !stdout.includes("doomed");
      },
      120_000,
    );
    expect(pool.revoked).toContain(runId);
  }, 300_000);
});
