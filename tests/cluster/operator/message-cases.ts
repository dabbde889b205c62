import { expect, it } from "vitest";
import { waitUntil } from "../../support/wait-until.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import type { ScriptedPool } from "../support/scripted-pool.ts";
import type { SessionCluster } from "../support/session-cluster.ts";

interface MessageParts {
  readonly cluster: SessionCluster;
  readonly operator: OperatorProcess;
  readonly pool: ScriptedPool;
}

/** What a session's user says to its run by the spec, in a cluster that is up. */
export function messageCases(of: () => MessageParts): void {
  it("waits for an answer without a pod, and is told it once though the answer to that is lost", async () => {
    const { cluster, pool } = of();
    const runId = await cluster.running("asking", { interactive: true });
    expect(pool.runs.get(runId)?.body).toMatchObject({ interactive: true, keepOpen: false });
    const waiting = { reason: "question", question: "Which one?", since: Date.now() } as const;
    pool.change(runId, { status: "waiting", waiting });
    await cluster.end("asking");
    await cluster.untilPhase("asking", "Waiting", "Question");
    await cluster.untilGone("asking");
    expect((await cluster.read("asking")).status?.message).toBe("Which one?");

    pool.lostAnswers = 1;
    await cluster.patch("asking", { messages: [{ id: "one", content: "This." }] });
    await waitUntil("the second pod is there", async () =>
      (await cluster.jobsOf("asking")).some(({ metadata }) => metadata?.name === "asking-2"),
    );
    await waitUntil("it is noted as sent", async () => {
      return (await cluster.read("asking")).status?.sentMessages?.[0] === "one";
    });
    expect(pool.lostAnswers).toBe(0);
    const uid = (await cluster.read("asking")).metadata.uid;
    expect(pool.inputs).toMatchObject([{ key: `session:${uid}/one`, content: "This." }]);
    expect(pool.reportsOf(runId)).toEqual([]);
  });

  it("is told what was answered while the operator was away, once, though the run cannot be read at first", async () => {
    const { cluster, operator, pool } = of();
    const runId = await cluster.running("patient", { interactive: true });
    const waiting = { reason: "question", question: "Now?", since: Date.now() } as const;
    pool.change(runId, { status: "waiting", waiting });
    await cluster.end("patient");
    await cluster.untilPhase("patient", "Waiting", "Question");
    await cluster.untilGone("patient");

    await operator.kill();
    pool.unreadable.add(runId);
    await cluster.patch("patient", { messages: [{ id: "one", content: "Now." }] });
    await operator.start();
    await waitUntil("it is connected", async () => {
      return (await operator.probe("/metrics"))?.includes("edge_socket_connected 1\n") ?? false;
    });
    const looks = () => pool.looks.get(runId) ?? 0;
    const before = looks();
    await waitUntil("it asks again, though its connection stands", () => looks() > before + 1);
    pool.unreadable.delete(runId);
    await waitUntil("it has its next pod", async () =>
      (await cluster.jobsOf("patient")).some(({ metadata }) => metadata?.name === "patient-2"),
    );
    await waitUntil("it is noted as sent", async () => {
      return (await cluster.read("patient")).status?.sentMessages?.[0] === "one";
    });
    const { uid } = (await cluster.read("patient")).metadata;
    expect(pool.inputs.filter(({ key }) => key.includes(uid))).toMatchObject([
      { key: `session:${uid}/one`, content: "Now." },
    ]);
    expect(pool.reportsOf(runId)).toEqual([]);
  });
}
