import { expect, it } from "vitest";
import { waitUntil } from "../../support/wait-until.ts";
import type { ControlPlane } from "../support/control-plane.ts";
import type { FakeKubelet } from "../support/fake-kubelet.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import type { ScriptedPool } from "../support/scripted-pool.ts";
import type { SessionCluster } from "../support/session-cluster.ts";

interface LogParts {
  readonly plane: ControlPlane;
  readonly cluster: SessionCluster;
  readonly operator: OperatorProcess;
  readonly pool: ScriptedPool;
  readonly kubelet: FakeKubelet;
}

const modelKey = "sk-proj-abcDEF1234567890abcd";

const retained = async (cluster: SessionCluster, name: string) =>
  (await cluster.read(name)).status?.conditions?.find(({ type }) => type === "Retained");

/** What becomes of the logs of a session's pods, in a cluster that is up. */
export function logCases(of: () => LogParts): void {
  it("keeps the log of a pod that is killed by hand to its last line, without secrets, whoever leads", async () => {
    const { plane, cluster, operator, pool, kubelet } = of();
    await plane.kubectl(
      "create",
      "secret",
      "generic",
      "deploy",
      "--from-literal=KEY=hunter2-hunter2",
    );
    await plane.kubectl("label", "secret", "deploy", "millrace.dev/session-secret=true");
    const runId = await cluster.running("told", { secretRefs: ["deploy"] });
    const [pod = ""] = (await cluster.podsOf("told")).map(({ metadata }) => metadata?.name);
    kubelet.write(pod, "started with hunter2-hunter2", `key ${modelKey}`);
    await plane.kubectl("delete", "pod", pod, "--wait=false");
    await waitUntil("its log is followed", () => kubelet.followers(pod) === 1);
    await operator.kill();
    await operator.start();
    await waitUntil("it is followed again", () => kubelet.followers(pod) === 1);
    kubelet.write(pod, "the last words");
    kubelet.end(pod);
    const path = `${runId}/logs/1/runner`;
    await waitUntil("its log is kept", () => pool.logs.has(path));
    expect(pool.logs.get(path)).toBe("started with [redacted]\nkey [redacted]\nthe last words\n");
    await cluster.end("told", 143, "Error");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    pool.change(runId, { status: "queued", failures: 1 });
    await cluster.untilGone("told");
    expect((await retained(cluster, "told"))?.status).toBe("True");
  });

  it("holds a pod back until its log is kept, and ends one that lives before its attempt is cleared away", async () => {
    const { plane, cluster, pool, kubelet } = of();
    const runId = await cluster.running("plundered");
    const [pod = ""] = (await cluster.podsOf("plundered")).map(({ metadata }) => metadata?.name);
    kubelet.write(pod, "at work");
    await plane.kubectl("delete", "secret", "plundered-1");
    await waitUntil("it is reported", () => pool.reportsOf(runId).length === 1);
    pool.change(runId, { status: "queued", failures: 1 });
    await waitUntil("its log is followed", () => kubelet.followers(pod) === 1);
    await waitUntil("it is told to end", async () =>
      (await cluster.podsOf("plundered")).every((one) => one.metadata?.deletionTimestamp),
    );
    pool.setAway(true);
    kubelet.write(pod, "going");
    kubelet.end(pod);
    await cluster.end("plundered", 1, "Error");
    expect((await cluster.jobsOf("plundered")).length).toBe(1);
    expect((await retained(cluster, "plundered"))?.status).toBe("Unknown");
    pool.setAway(false);
    await cluster.untilGone("plundered");
    expect(pool.logs.get(`${runId}/logs/1/runner`)).toBe("at work\ngoing\n");
  });
}
