import { CoreV1Api, type V1Pod, setHeaderOptions } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";

const namespace = "default";
const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

const terminated = (exitCode: number, reason: string) => ({
  terminated: { exitCode, reason, finishedAt: new Date().toISOString() },
});
const disrupted = (reason: string, message: string) => [
  { type: "DisruptionTarget", status: "True", reason, message },
];

/** As kubelet and the scheduler leave a pod. The full list stands in the operator's `decide-failures.test.ts`. */
const shapes: Readonly<Record<string, (pod: V1Pod) => object>> = {
  Evicted: (pod) => ({
    phase: "Failed",
    reason: "Evicted",
    message: "The node was low on resource: memory",
    conditions: disrupted("TerminationByKubelet", "The node was low on resource: memory"),
    containerStatuses: containers(pod, terminated(137, "ContainerStatusUnknown")),
  }),
  Preempted: (pod) => ({
    phase: "Failed",
    conditions: disrupted("PreemptionByScheduler", "preempting to accommodate a higher priority"),
    containerStatuses: containers(pod, terminated(143, "Error")),
  }),
  NodeLost: () => ({
    conditions: disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute"),
  }),
  PodFailed: () => ({
    phase: "Failed",
    reason: "UnexpectedAdmissionError",
    message: "Pod was rejected: Allocate failed",
    containerStatuses: [],
  }),
};

const containers = ({ status }: V1Pod, state: object) =>
  status?.containerStatuses?.map(({ name, image, imageID }) => {
    return { name, image, imageID, ready: false, restartCount: 0, state };
  });

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
    for (const name of ["full", "crowded"]) await plane.kubectl("create", "namespace", name);
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
      identities: [
        { owner: "key:nobody-knows", user: "dave", namespace },
        { owner: "key:nowhere", user: "carol", namespace: "nowhere" },
        { owner: "key:full", user: "carol", namespace: "full" },
        { owner: "key:crowded", user: "carol", namespace: "crowded" },
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
    const before = pool.status?.sessions["Running"] ?? 0;
    await cluster.running("counted");
    const after = before + 1;
    await waitUntil("the pool knows", () => pool.status?.sessions["Running"] === after);
    expect(pool.status).toMatchObject({ leader: true, sessions: { Running: after } });
  });

  it("reports what became of the pods of others that died as the cluster does it", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    const names = Object.keys(shapes).map((reason) => [reason, reason.toLowerCase()] as const);
    await Promise.all(names.map(([, name]) => cluster.running(name)));
    for (const [reason, name] of names) {
      const [pod] = await cluster.podsOf(name);
      const body = { status: pod && shapes[reason]?.(pod) };
      const patch = { name: pod?.metadata?.name ?? "", namespace, body };
      await core.patchNamespacedPodStatus(patch, mergePatch);
      const runId = pool.runOf(name)?.runId ?? "";
      await waitUntil(`${reason} is reported`, () => pool.reportsOf(runId).length === 1);
      expect(pool.reportsOf(runId)[0]).toMatchObject({ kind: "ended", reason, retryable: true });
    }
  });
});
