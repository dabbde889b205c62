import { expect, it } from "vitest";
import { waitUntil } from "../../support/wait-until.ts";
import type { ScriptedPool } from "../support/scripted-pool.ts";
import type { SessionCluster } from "../support/session-cluster.ts";

interface PauseParts {
  readonly cluster: SessionCluster;
  readonly pool: ScriptedPool;
}

/** How a session is put down and taken up again, on the stage of a suite. */
export function pauseCases(of: () => PauseParts): void {
  it("pauses, and goes on in another pod", async () => {
    const { cluster, pool } = of();
    const runId = await cluster.running("paused");
    await cluster.patch("paused", { desiredState: "Stopped" });
    await waitUntil("the platform was asked", () => pool.runOf("paused")?.stopping === true);
    await cluster.untilPhase("paused", "Stopping");
    pool.change(runId, { status: "waiting", stopping: false });
    await cluster.end("paused");
    await cluster.untilPhase("paused", "Stopped", "Stopped");
    await cluster.untilGone("paused");
    await cluster.patch("paused", { desiredState: "Running" });
    await waitUntil("the second pod is there", async () => {
      return (await cluster.jobsOf("paused")).some(({ metadata }) => metadata?.name === "paused-2");
    });
    expect(pool.reportsOf(runId)).toEqual([]);
  });

  it("starts anew from where it was when its restart token changes, once", async () => {
    const { cluster, pool } = of();
    const runId = await cluster.running("again");
    await cluster.patch("again", { restartToken: "now" });
    await waitUntil("the platform was asked", () => pool.runOf("again")?.stopping === true);
    pool.change(runId, { status: "waiting", stopping: false });
    await cluster.end("again");
    await waitUntil("the second pod is there", async () => {
      return (await cluster.jobsOf("again")).some(({ metadata }) => metadata?.name === "again-2");
    });
    pool.change(runId, { status: "running" });
    await cluster.untilPhase("again", "Running");
    expect((await cluster.read("again")).status).toMatchObject({ restartToken: "now", attempt: 2 });
    expect([pool.runOf("again")?.stopping, pool.reportsOf(runId)]).toEqual([false, []]);
  });
}
