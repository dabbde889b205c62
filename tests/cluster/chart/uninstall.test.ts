import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppsV1Api } from "@kubernetes/client-node";
import { sessionFinalizer } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { chart, helm, requiredValues, setFlags, type Values } from "../support/helm.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { runHookPod } from "../support/run-hook-pod.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";

const namespace = "agents";
const longRunning = '{"test/run-for":"1h"}';

/** The chart, with its operator and its hook as processes here, each with the token of its pod. */
describe.skipIf(!hasControlPlane)("helm uninstall with sessions that run", () => {
  let plane: ControlPlane;
  let cluster: SessionCluster;
  let operator: OperatorProcess;
  let edgeUrl: string;
  const pool = new ScriptedPool();

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    cluster = new SessionCluster(plane, pool);
    edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    await plane.kubectl("create", "namespace", namespace);
    const level = "pod-security.kubernetes.io/enforce=restricted";
    await plane.kubectl("label", "namespace", namespace, level);
    const secret = ["create", "secret", "generic", "millrace-pool", "--from-literal=token=t"];
    await plane.kubectl("-n", namespace, ...secret);
    await writeFile(join(plane.directory, "pool-token"), "t");
    releaseAtEnd(() => operator.kill());
    await install();
    await waitUntil("a session is admitted", () =>
      cluster.create("first").then(
        () => true,
        () => false,
      ),
    );
  });

  const release = (verb: string, more: Values = {}) => {
    const values = {
      ...requiredValues,
      "edge.url": edgeUrl,
      "runners.enabled": false,
      "sessions.podAnnotations": longRunning,
      "operator.podAnnotations": longRunning,
      "operator.uninstallSeconds": 90,
      ...more,
    };
    return helm([verb, "millrace", chart, "--namespace", namespace, ...setFlags(values)], {
      KUBECONFIG: plane.kubeconfig,
    });
  };

  async function install(): Promise<void> {
    await release("install");
    const crd = "crd/agenticsessions.millrace.dev";
    await plane.kubectl("wait", "--for=condition=Established", crd);
    const config = await plane.serviceAccount(namespace, "millrace-operator");
    operator = new OperatorProcess(plane, {
      edgeUrl,
      kubeconfig: await plane.writeKubeconfig("operator", config),
      sessions: { podAnnotations: JSON.parse(longRunning) as unknown },
      env: { POD_NAMESPACE: namespace, LEASE_NAME: "millrace-operator" },
    });
    await operator.start();
  }

  /** As kubelet and a Deployment's controller would: who is scaled to nothing is told to stop. */
  async function stopWhenScaledDown(): Promise<void> {
    const apps = plane.admin().makeApiClient(AppsV1Api);
    await waitUntil("the operator's replicas are taken away", async () => {
      const read = apps.readNamespacedDeployment({ namespace, name: "millrace-operator" });
      return (await read).spec?.replicas === 0;
    });
    await operator.stop();
  }

  const uninstall = () =>
    withHook(
      helm(["uninstall", "millrace", "--namespace", namespace, "--wait"], {
        KUBECONFIG: plane.kubeconfig,
      }),
    );

  /** What helm does meanwhile, and what the hook of it says. */
  async function withHook(removed: Promise<unknown>): Promise<string> {
    const hook = runHookPod(plane, {
      namespace,
      job: "millrace-uninstall",
      env: { POOL_TOKEN_FILE: join(plane.directory, "pool-token"), LEASE_SECONDS: "6" },
    });
    const [said] = await Promise.all([hook, removed, stopWhenScaledDown()]);
    return said;
  }

  async function expectNothingRuns(): Promise<void> {
    const { stdout } = await plane.kubectl("get", "pods,jobs", "-A", "-o", "name");
    expect(stdout).toBe("");
    const kinds = "deployment,serviceaccount,role,rolebinding,networkpolicy,lease";
    const left = await plane.kubectl("-n", namespace, "get", kinds, "-o", "name");
    expect(left.stdout.trim()).toBe("serviceaccount/default");
    const roles = await plane.kubectl("get", "clusterrole,clusterrolebinding", "-o", "name");
    expect(roles.stdout).not.toContain("millrace");
  }

  const finalizersOf = async (name: string) => (await cluster.read(name)).metadata.finalizers ?? [];

  it("is preceded by an upgrade and a rollback, of which a running session notices nothing", async () => {
    const runId = await cluster.running("upgraded");
    const [before] = await cluster.jobsOf("upgraded");
    await release("upgrade", { "sessions.graceSeconds": 45, "operator.workers": 5 });
    await operator.stop();
    await operator.start();
    const later = await cluster.running("later");
    await helm(["rollback", "millrace", "1", "--namespace", namespace], {
      KUBECONFIG: plane.kubeconfig,
    });
    const [after] = await cluster.jobsOf("upgraded");
    expect(after?.metadata?.uid).toBe(before?.metadata?.uid);
    expect(await cluster.read("upgraded")).toMatchObject({ status: { phase: "Running", runId } });
    expect(pool.reportsOf(runId)).toEqual([]);
    for (const id of [runId, later]) {
      pool.change(id, { status: "succeeded", completedAt: Date.now() });
    }
    for (const name of ["upgraded", "later"]) {
      await cluster.untilPhase(name, "Completed");
      await cluster.end(name);
    }
  });

  it("pauses the runs, keeps the sessions, and they go on after another install", async () => {
    const works = await cluster.running("works");
    const starts = await cluster.started("starts");
    const paused = await cluster.running("paused");
    await cluster.patch("paused", { desiredState: "Stopped" });
    pool.change(paused, { status: "waiting" });
    await cluster.untilPhase("paused", "Stopped", "Stopped");
    const done = await cluster.running("done");
    pool.change(done, { status: "succeeded", completedAt: Date.now() });
    await cluster.untilPhase("done", "Completed");
    await cluster.end("done");
    expect(await finalizersOf("works")).toEqual([sessionFinalizer]);

    const uninstalling = uninstall();
    await waitUntil("the runner is asked to pause", () => pool.runOf("works")?.stopping ?? false);
    pool.change(works, { status: "waiting", stopping: false });
    for (const name of ["works", "starts"]) await cluster.end(name);
    const log = await uninstalling;
    expect(log).toContain("nothing of the operator runs any more");
    await expectNothingRuns();

    for (const name of ["works", "starts"]) {
      expect(await cluster.read(name)).toMatchObject({
        status: { phase: "Stopped", reason: "Uninstalled" },
      });
    }
    expect(await cluster.read("paused")).toMatchObject({ status: { reason: "Stopped" } });
    expect(await cluster.read("done")).toMatchObject({ status: { phase: "Completed" } });
    for (const name of ["works", "starts", "paused", "done", "first"]) {
      expect(await finalizersOf(name), name).toEqual([]);
    }
    // Nobody looks after it, and it can go all the same.
    await plane.kubectl("delete", "ags", "starts", "--timeout=20s");
    expect(pool.runs.get(starts)?.run.status).toBe("waiting");

    await install();
    await waitUntil("the run was resumed", () => pool.runOf("works")?.attempt === 2);
    await cluster.untilPod("works");
    pool.change(works, { status: "running" });
    await cluster.untilPhase("works", "Running");
    expect(await finalizersOf("works")).toEqual([sessionFinalizer]);
    expect(await cluster.read("paused")).toMatchObject({ status: { reason: "Stopped" } });
  });

  it("ends the pods also without operator and edge, and says what it could not do", async () => {
    await cluster.running("alone");
    await cluster.running("goes");
    await operator.kill();
    pool.setAway(true);
    await cluster.remove("goes");

    const log = await uninstall();
    expect(log).toMatch(/"runsNotReached":[1-9]/);
    await expectNothingRuns();
    expect(await cluster.find("goes")).toBeUndefined();
    const { status } = await cluster.read("alone");
    expect(status).toMatchObject({ phase: "Stopped", reason: "Uninstalled" });
    expect(status?.message).toContain("before the run had paused");

    pool.setAway(false);
    await install();
    const runId = status?.runId ?? "";
    await waitUntil("the platform hears of the attempt", () => pool.reportsOf(runId).length > 0);
    pool.start(runId);
    await cluster.untilPod("alone");
    expect((await cluster.read("alone")).status?.attempt).toBe(2);
  });

  it("does the same when an upgrade takes sessions away, where they were, and an install brings them back", async () => {
    for (const name of ["works", "alone"]) {
      pool.change(pool.runOf(name)?.runId ?? "", { status: "succeeded", completedAt: Date.now() });
      await cluster.untilPhase(name, "Completed");
      await cluster.end(name);
    }
    const runId = await cluster.running("off");
    const upgrading = withHook(
      release("upgrade", { "sessions.enabled": false, "edge.url": "https://another.example.com" }),
    );
    await waitUntil("the runner is asked to pause", () => pool.runOf("off")?.stopping ?? false);
    pool.change(runId, { status: "waiting", stopping: false });
    await cluster.end("off");
    expect(await upgrading).toContain("nothing of the operator runs any more");
    expect(await cluster.read("off")).toMatchObject({
      status: { phase: "Stopped", reason: "Uninstalled" },
    });
    expect(await finalizersOf("off")).toEqual([]);
    await waitUntil("nothing of sessions is left", async () => {
      const kinds = ["get", "deployment,pods,jobs", "-A", "-o", "name"];
      return (await plane.kubectl(...kinds)).stdout === "";
    });
    // There is nothing left to end: an upgrade like any other.
    await release("upgrade", { "sessions.enabled": false });

    await release("upgrade");
    await plane.kubectl("-n", namespace, "get", "deployment", "millrace-operator");
  });
});
