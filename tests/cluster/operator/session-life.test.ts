import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { TraceCollector } from "../../support/trace-collector.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { FakeKubelet } from "../support/fake-kubelet.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";
import { logCases } from "./log-cases.ts";
import { messageCases } from "./message-cases.ts";
import { pauseCases } from "./pause-cases.ts";

const namespace = "default";

/** The operator on a real API server; kwok in place of nodes; the test in place of the platform. */
describe.skipIf(!hasControlPlane)("the life of a session", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  let cluster: SessionCluster;
  let collector: TraceCollector;
  const pool = new ScriptedPool();
  const traceIdOf = (name: string) => pool.runOf(name)?.traceparent?.split("-")[1] ?? "";
  const kubelet = new FakeKubelet();

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    await kubelet.serve(plane, "fake-0");
    releaseAtEnd(() => kubelet.close());
    cluster = new SessionCluster(plane, pool);
    await cluster.define();
    const edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    const sessions = {
      podAnnotations: { "test/run-for": "1h" },
      identities: [{ owner: "key:1", user: "carol", namespace }],
    };
    collector = await TraceCollector.start();
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-collector-key=collector-secret",
      OTEL_BSP_SCHEDULE_DELAY: "200",
    };
    operator = new OperatorProcess(plane, { edgeUrl, sessions, env });
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
    const runId = await cluster.running("plain");
    const [job] = await cluster.jobsOf("plain");
    expect(job?.metadata?.name).toBe("plain-1");
    expect(job?.metadata?.ownerReferences?.[0]).toMatchObject({
      controller: true,
      blockOwnerDeletion: true,
    });
    const [pod] = await cluster.podsOf("plain");
    expect(pod?.spec?.automountServiceAccountToken).toBe(false);
    expect(await cluster.read("plain")).toMatchObject({
      status: { runId, attempt: 1, podName: pod?.metadata?.name, url: `/v1/runs/${runId}` },
    });
    pool.change(runId, { status: "succeeded", completedAt: Date.now() });
    await cluster.untilPhase("plain", "Completed");
    await cluster.end("plain");
    await cluster.untilGone("plain");
    expect(pool.reportsOf(runId)).toEqual([]);
    await waitUntil("its Events say what happened", async () => {
      const { stdout } = await plane.kubectl("describe", "ags", "plain");
      // In the order of their names, which say nothing.
      const said = [/RunnerConnected .*The run is executing/, /Succeeded .*The run succeeded/];
      return said.every((one) => one.test(stdout));
    });
    expect((await plane.kubectl("get", "millrace", "-o", "name")).stdout).toContain("/plain\n");
  });

  it("tells of it in its metrics", async () => {
    const metrics = await operator.probe("/metrics");
    expect(metrics).toMatch(/_transitions_total\{phase="Running",reason="RunnerConnected"\} [1-9]/);
    expect(metrics).toMatch(/_transitions_total\{phase="Completed",reason="Succeeded"\} [1-9]/);
    expect(metrics).toContain('millrace_session_start_seconds_count{path="cold"}');
    expect(metrics).toContain('millrace_sessions{phase="Completed"} 1\n');
    expect(metrics).toContain("millrace_edge_socket_connected 1\n");
    expect(metrics).toMatch(/_queue_duration_seconds_count\{controller="agentic-session"\} [1-9]/);
    expect(metrics).toContain("millrace_leader 1\n");
  });

  it("tells of it in one trace, which it gives to the run", async () => {
    const { metadata } = await cluster.read("plain");
    const traceId = metadata.uid.replaceAll("-", "");
    const root = traceId.slice(16);
    expect(pool.runOf("plain")?.traceparent).toBe(`00-${traceId}-${root}-01`);
    const start = await collector.untilSpan(traceId, "start attempt");
    expect(start).toMatchObject({
      service: "millrace-operator",
      parentSpanId: root,
      attributes: { "millrace.session.name": "plain", "millrace.attempt": 1 },
      status: { code: 0 },
    });
    expect(start.events.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["job created", "pod created", "pod scheduled", "runner started"]),
    );
    for (const name of ["create-run", "session.start", "start-attempt", "clear-attempt"]) {
      await collector.untilSpan(traceId, name);
    }
    const reconciles = () => collector.spansOf(traceId).filter(({ name }) => name === "reconcile");
    const phases = () => reconciles().map(({ attributes }) => attributes["millrace.session.phase"]);
    await waitUntil("each phase is there", () => {
      return ["Creating", "Running", "Completed"].every((phase) => phases().includes(phase));
    });
    // A child is told of before its parent.
    const orphans = () => {
      const parents = new Set([root, ...reconciles().map(({ spanId }) => spanId)]);
      return collector.spansOf(traceId).filter((span) => !parents.has(span.parentSpanId ?? ""));
    };
    await waitUntil("each span has its parent", () => orphans().length === 0);
    for (const unsaid of ["do it", "token-1", "collector-secret", "pool-token"]) {
      expect(collector.text).not.toContain(unsaid);
    }
  });

  it("executes a run of the edge in the name of its user, and nobody else's", async () => {
    const runId = pool.createAtEdge("key:1");
    pool.start(runId);
    const name = `run-${runId}`;
    await waitUntil("it has a pod", async () => (await cluster.podsOf(name)).length === 1);
    expect((await cluster.read(name)).spec.owner).toBe("carol");
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await cluster.untilPhase(name, "Running");
    const stranger = pool.createAtEdge("key:2");
    pool.start(stranger);
    await waitUntil("it is refused", () => pool.reportsOf(stranger).length === 1);
    expect(pool.reportsOf(stranger)[0]).toMatchObject({
      reason: "OwnerNotPermitted",
      retryable: false,
    });
  });

  pauseCases(() => ({ cluster, pool }));
  messageCases(() => ({ cluster, operator, pool }));

  it("cancels the run of a session that is deleted, and goes", async () => {
    const runId = await cluster.running("deleted");
    await cluster.remove("deleted");
    await waitUntil("the run is cancelled", () => pool.runOf("deleted")?.status === "cancelled");
    await waitUntil("the pod is told to end", async () =>
      (await cluster.podsOf("deleted")).every(
        ({ metadata }) => metadata?.deletionTimestamp !== undefined,
      ),
    );
    await cluster.end("deleted");
    await cluster.untilDeleted("deleted");
    expect(pool.revoked).toContain(runId);
    await cluster.untilGone("deleted");
    await collector.untilSpan(traceIdOf("deleted"), "delete session");
  });

  it("reports a pod killed for its memory, and clears it away for the next attempt", async () => {
    const runId = await cluster.running("hungry");
    await cluster.end("hungry", 137, "OOMKilled");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      attempt: 1,
      kind: "ended",
      reason: "OutOfMemory",
      retryable: true,
      evidence: { exitCode: 137, container: "runner" },
    });
    expect(await collector.untilSpan(traceIdOf("hungry"), "report")).toMatchObject({
      attributes: { "millrace.report.kind": "ended", "millrace.report.reason": "OutOfMemory" },
    });
    pool.change(runId, { status: "queued", failures: 1 });
    await cluster.untilGone("hungry");
    pool.start(runId);
    await waitUntil("the next is there", async () => (await cluster.jobsOf("hungry")).length === 1);
    pool.change(runId, { status: "running" });
    await cluster.untilPhase("hungry", "Running");
    expect(await cluster.read("hungry")).toMatchObject({ status: { attempt: 2 } });
  });

  it("reports a Job and a Secret deleted by hand", async () => {
    const runId = await cluster.running("robbed");
    await plane.kubectl("delete", "secret", "robbed-1");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]?.reason).toBe("SecretDeleted");
    const other = await cluster.running("bereft");
    await plane.kubectl("delete", "job", "bereft-1", "--cascade=background", "--wait=false");
    await waitUntil("it is reported", () => pool.reportsOf(other).length === 1);
    expect(pool.reportsOf(other)[0]).toMatchObject({ reason: "JobDeleted", retryable: true });
  });

  it("fails an attempt at its start deadline", async () => {
    const runId = await cluster.started("late", { startDeadlineSeconds: 5 });
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({
      kind: "start_failed",
      reason: "NotConnected",
    });
  });

  it("says what a session names and the cluster has not, and creates nothing", async () => {
    await cluster.create("careless", { secretRefs: ["absent"] });
    await cluster.untilPhase("careless", "Pending", "SecretMissing");
    expect(pool.runOf("careless")).toBeUndefined();
    // With a name of as many characters as a name may have, and dots.
    const name = `${"n".repeat(63)}.${"m".repeat(63)}.${"l".repeat(63)}.${"k".repeat(59)}.x`;
    const runId = await cluster.started(name, { displayName: "with an image of ours" });
    expect(pool.reportsOf(runId)).toEqual([]);
    await cluster.create("foreign", { image: "evil.example/x:1" });
    await waitUntil("it has a run", () => pool.runOf("foreign") !== undefined);
    const foreign = pool.runOf("foreign")?.runId ?? "";
    pool.start(foreign);
    await waitUntil("it is refused", () => pool.reportsOf(foreign).length === 1);
    expect(pool.reportsOf(foreign)[0]).toMatchObject({ reason: "InvalidSpec", retryable: false });
    expect(await cluster.jobsOf("foreign")).toEqual([]);
  });

  it("stops a pod when the platform says so, and reports that it is dead", async () => {
    const runId = await cluster.running("stopped");
    pool.change(runId, { status: "cancelling" });
    pool.stop(runId, "cancel");
    await waitUntil("the pod is told to end", async () =>
      (await cluster.podsOf("stopped")).every(
        ({ metadata }) => metadata?.deletionTimestamp !== undefined,
      ),
    );
    await cluster.end("stopped", 143, "Error");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]).toMatchObject({ kind: "stopped", attempt: 1 });
  });

  it("keeps a report in the status while the edge is away, and the pods of others", async () => {
    const runId = await cluster.running("cut-off");
    await cluster.running("bystander");
    pool.setAway(true);
    await cluster.end("cut-off", 1, "Error");
    await waitUntil("the report is stored", async () => {
      const { status } = await cluster.read("cut-off");
      return status?.reports?.length === 1;
    });
    await waitUntil("it says that nobody is there", async () => {
      return (await operator.probe("/metrics"))?.includes("edge_socket_connected 0\n") ?? false;
    });
    // Another process knows of it only by the status.
    await operator.replace();
    pool.setAway(false);
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    expect(pool.reportsOf(runId)[0]?.reason).toBe("RunnerExited");
    await waitUntil("the status lets it go", async () => {
      return (await cluster.read("cut-off")).status?.reports === undefined;
    });
    expect((await cluster.podsOf("bystander")).length).toBe(1);
  });

  logCases(() => ({ plane, cluster, operator, pool, kubelet }));

  it("makes one Job per attempt, however often it is killed in between", async () => {
    const names = ["torn-a", "torn-b"];
    for (const name of names) await cluster.create(name);
    for (const name of names) {
      await operator.replace();
      await waitUntil(`${name} has a run`, () => pool.runOf(name) !== undefined);
      pool.start(pool.runOf(name)?.runId ?? "");
      await operator.replace();
      await waitUntil(`${name} has a pod`, async () => (await cluster.podsOf(name)).length === 1);
    }
    for (const name of names) {
      pool.change(pool.runOf(name)?.runId ?? "", { status: "running" });
      await cluster.untilPhase(name, "Running");
      expect((await cluster.jobsOf(name)).map(({ metadata }) => metadata?.name)).toEqual([
        `${name}-1`,
      ]);
      expect((await cluster.podsOf(name)).length).toBe(1);
      expect(pool.reportsOf(pool.runOf(name)?.runId ?? "")).toEqual([]);
    }
  }, 300_000);

  it("gives its Lease back when it is asked to end", async () => {
    const holder = ["-o", "jsonpath={.spec.holderIdentity}"];
    const lease = ["get", "lease", "millrace-operator", ...holder];
    expect((await plane.kubectl(...lease)).stdout).not.toBe("");
    await operator.stop();
    expect((await plane.kubectl(...lease)).stdout).toBe("");
  });
});
