import { PoolToRunner, runnerPaths, v1, v1Pools } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { command, mark } from "../../support/fault-bench.ts";
import { promptFor } from "../../support/model-server/scenario.ts";
import { attemptsIn, expectRecord, requestsOf } from "../../support/run-record.ts";
import { nameOf } from "../../support/sse.ts";
import { TraceCollector } from "../../support/trace-collector.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { nodeAddress } from "../support/real-node.ts";
import {
  listen,
  listeningPort,
  providerKey,
  type SessionBench,
  sessionNamespace,
  startSessionBench,
} from "../support/session-bench.ts";
import { Wiretap } from "../support/wiretap.ts";

const metadata = "169.254.169.254";

const storage = { mode: "persistent", size: "100Mi", className: "static" } as const;

const ask = { toolCalls: [{ name: "ask_user", arguments: { question: "Which one?" } }] };

/** A command that nobody lets go on: a run in the middle of it is in a known place. */
const hold = command("echo holding; sleep 600");

async function poolOf({ platform }: SessionBench): Promise<v1Pools.Pool> {
  const { body } = await platform.api.request("GET", "/v1/pools");
  const [pool] = v1.page(v1Pools.Pool).parse(body).data;
  if (!pool) throw new Error("the edge has no pool");
  return pool;
}

async function waitingPods(bench: SessionBench): Promise<readonly string[]> {
  const selector = ["-l", "millrace.dev/warm-pool=default"];
  const printed = await bench.kubectl("get", "pods", ...selector, "-o", "name");
  return printed.split("\n").filter((line) => line !== "");
}

/** The pod whose runner is connected: before that nobody could give it a run. */
async function untilOneWaits(bench: SessionBench): Promise<string> {
  const isThere = async () => (await poolOf(bench)).runners.free === 1;
  await waitUntil("a runner waits", isThere, 120_000);
  const [pod = ""] = await waitingPods(bench);
  return pod.replace("pod/", "");
}

/** The edge outside, the operator and the sessions' pods on a node that really runs them. */
describe("a session on a real node", () => {
  let bench: SessionBench;
  let collector: TraceCollector;
  /** As pods see it. */
  let collectorUrl: string;

  beforeAll(async () => {
    bench = await startSessionBench();
    collector = await TraceCollector.start();
    collectorUrl = await bench.node.expose(collector.url);
  });

  /** Where the values name a collector, what executes the run reaches it, and the operator too. */
  const expectTrace = async (name: string): Promise<void> => {
    const traceId = (await bench.read(name)).metadata.uid.replaceAll("-", "");
    for (const span of ["start attempt", "attempt"]) await collector.untilSpan(traceId, span);
  };

  it("goes from kubectl apply to Completed, seen and kept at the edge", async () => {
    // glob and grep have a program of their own in the image.
    const look = { toolCalls: [{ name: "glob", arguments: { pattern: "*.txt" } }] };
    await bench.apply("plain", { build: [mark("a"), look, { text: "Done." }] });
    const run = await bench.follow("plain");
    const frames = await run.stream.toEnd();
    await expectRecord(bench.platform.api, run, frames);
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(attemptsIn(frames)).toEqual([1]);
    const found = frames.find(({ data }) => data["tool"] === "glob" && data["phase"] === "end");
    expect(JSON.stringify(found?.data)).toContain("trace.txt");
    const session = await bench.untilPhase("plain", "Completed", "Succeeded");
    expect(session.status).toMatchObject({ runId: run.runId, attempt: 1 });
    expect((await bench.files(run)).get("trace.txt")).toBe("a\n");
    await bench.untilNothingRuns("plain");
  });

  it("executes a run that was created at the edge, in the name of its user", async () => {
    const { api } = bench.platform;
    const projectId = await api.createProject();
    const scenario = { build: [mark("a"), { text: "Done." }] };
    const run = await api.streamRun(projectId, {
      prompt: promptFor(scenario),
      workspaceBackend: "cluster",
    });
    const frames = await run.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("done");
    const name = `run-${run.runId}`;
    const session = await bench.untilPhase(name, "Completed");
    expect(session.spec.owner).toBe("edge-user");
    expect((await bench.files({ projectId, ...run })).get("trace.txt")).toBe("a\n");
    await bench.untilNothingRuns(name);
  });

  it("ends when its run is cancelled", async () => {
    await bench.apply("cancelled", { build: [mark("a"), hold] });
    const run = await bench.followUntil("cancelled", "holding\n");
    const { api } = bench.platform;
    const log = `/v1/projects/${run.projectId}/runs/${run.runId}/logs/1/runner`;
    const live = await api.fetch("GET", `${log}?follow=true`);
    expect([live.status, live.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    const followed = live.text();
    await api.cancel(run.projectId, run.runId);
    const frames = await run.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("cancelled");
    await bench.untilPhase("cancelled", "Stopped", "Cancelled");
    await bench.untilNothingRuns("cancelled");
    // Live to its last line, and kept when the pod has gone.
    const kept = await (await api.fetch("GET", log)).text();
    for (const said of [await followed, kept]) {
      expect(said).toContain("runner starts");
      expect(said).toContain("CancelRequested");
    }
    const { status } = await bench.read("cancelled");
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: "Retained", status: "True" }),
    );
  });

  it("pauses, its pod goes, and it goes on where it was", async () => {
    await bench.apply("paused", { build: [mark("a"), hold, mark("b"), { text: "Done." }] });
    const run = await bench.followUntil("paused", "holding\n");
    await bench.patch("paused", { desiredState: "Stopped" });
    await run.stream.untilNamed("run.waiting");
    await bench.untilPhase("paused", "Stopped", "Stopped");
    await bench.untilNothingRuns("paused");
    await bench.patch("paused", { desiredState: "Running" });
    const frames = await run.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(attemptsIn(frames)).toEqual([1, 2]);
    await bench.untilPhase("paused", "Completed");
    expect((await bench.files(run)).get("trace.txt")).toBe("a\nb\n");
  });

  it("asks, waits without a pod, and goes on in another with what it is told, turn after turn", async () => {
    const script = { build: [mark("asked"), ask, mark("told"), { text: "Took it." }] };
    await bench.apply("asking", script, { interactive: true, stopOnRunFinished: false });
    const run = await bench.follow("asking");
    const waiting = await bench.untilPhase("asking", "Waiting", "Question");
    expect(waiting.status?.message).toBe("Which one?");
    await bench.untilNothingRuns("asking");
    const answer = { id: "1", content: "The blue one." };
    await bench.patch("asking", { messages: [answer] });
    await bench.untilPhase("asking", "Waiting", "TurnOver");
    await bench.untilNothingRuns("asking");
    const more = { id: "2", content: promptFor({ build: [mark("again"), { text: "Done." }] }) };
    await bench.patch("asking", { messages: [more, { id: "3", finish: true }] });
    const frames = await expectRecord(bench.platform.api, run, await run.stream.toEnd());
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(attemptsIn(frames)).toEqual([1, 2, 3]);
    const said = frames.filter((frame) => nameOf(frame) === "run.input");
    expect(said.map(({ data }) => data["content"])).toEqual([answer.content, more.content, null]);
    const asked = requestsOf(bench.model.log(), "asking");
    expect(JSON.stringify(asked.at(-1)?.messages)).toContain(answer.content);
    await bench.untilPhase("asking", "Completed", "Succeeded");
    expect((await bench.files(run)).get("trace.txt")).toBe("asked\ntold\nagain\n");
  });

  it("reaches the edge, and neither metadata, the API server nor another session", async () => {
    // What a cloud has at this address, here it is the edge once more: at the port that is open elsewhere.
    await bench.node.exec("ip", "addr", "add", `${metadata}/32`, "dev", "lo");
    const metadataUrl = await bench.node.expose(bench.platform.url, metadata);
    const build = [command(`node -e '${listen}'`)];
    await Promise.all(["shut", "neighbour"].map((name) => bench.apply(name, { build })));
    await Promise.all(["visitor", "other-visitor"].map((name) => bench.startVisitor(name)));
    for (const name of ["shut", "neighbour"]) await bench.followUntil(name, "holding\n");
    const [shut = ""] = await bench.pods("shut");
    const [neighbour = ""] = await bench.pods("neighbour");
    const common = {
      edge: bench.edge,
      metadata: new URL(metadataUrl).host,
      api: `${nodeAddress}:16443`,
      apiService: "10.96.0.1:443",
      session: await bench.addressOf(neighbour),
      visitor: await bench.addressOf("pod/other-visitor"),
      collector: new URL(collectorUrl).host,
    };
    const closed = {
      metadata: false,
      api: false,
      apiService: false,
      session: false,
      visitor: false,
      collector: false,
    };
    const inside = await bench.reachedFrom(shut, {
      ...common,
      itself: `127.0.0.1:${listeningPort}`,
    });
    expect(inside).toEqual({ ...closed, edge: true, itself: true });
    // The same ways are open to a pod that no policy selects; but nobody comes into a session's.
    const outside = await bench.reachedFrom("pod/visitor", common);
    const open = { metadata: true, api: true, apiService: true, visitor: true, edge: true };
    expect(outside).toEqual({ ...open, collector: true, session: false });
  });

  it("is cancelled when it is deleted, and leaves nothing", async () => {
    await bench.apply("deleted", { build: [mark("a"), hold] });
    const run = await bench.followUntil("deleted", "holding\n");
    await bench.remove("deleted");
    const frames = await run.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("cancelled");
  });

  it("keeps its files on its volume while it is stopped and when its pod goes, and they go with it", async () => {
    await bench.makeVolume("files");
    const look = command('cat "$HOME/trace" >> seen.txt');
    await bench.apply(
      "durable",
      { build: [mark("a"), hold, look, mark("b"), hold, look, { text: "Done." }] },
      { storage },
    );
    const run = await bench.followUntil("durable", "holding\n");
    await bench.patch("durable", { desiredState: "Stopped" });
    await bench.untilPhase("durable", "Stopped", "Stopped");
    await bench.untilNothingRuns("durable");
    await bench.patch("durable", { desiredState: "Running" });
    await run.stream.until(({ data }) => data["chunk"] === "holding\n");
    const [pod = ""] = await bench.pods("durable");
    await bench.kubectl("delete", pod, "--wait=false");
    const frames = await run.stream.toEnd();
    expect(attemptsIn(frames)).toEqual([1, 2, 3]);
    await bench.untilPhase("durable", "Completed", "Succeeded");
    // The home of its commands is in no archive and no checkpoint: what an attempt left there was on the volume.
    expect((await bench.files(run)).get("seen.txt")).toBe("a\na\nb\n");
    const claim = ["get", "pvc", "-o", "jsonpath={.items[*].spec.volumeName}"];
    expect(await bench.kubectl(...claim)).toBe("files");
    await bench.remove("durable");
  });

  it("leaves its volume to whoever looks for it, where that is asked for by its end", async () => {
    await bench.makeVolume("kept");
    await bench.apply("keeper", { build: [mark("a"), { text: "Done." }] }, { storage });
    await bench.untilPhase("keeper", "Completed", "Succeeded");
    await bench.untilNothingRuns("keeper");
    await bench.patch("keeper", { retention: { workspace: "Retain" } });
    await bench.remove("keeper", "volume");
    const said = await bench.events("keeper", "VolumeRetained");
    expect(said).toEqual([expect.objectContaining({ type: "Normal" })]);
    expect(said[0]?.message).toContain("keeper-files");
    const found = ["get", "pvc", "-l", "millrace.dev/session=keeper", "-o", "json"];
    const { items } = JSON.parse(await bench.kubectl(...found)) as { readonly items: unknown };
    const kept = { phase: "Bound" };
    expect(items).toMatchObject([{ spec: { volumeName: "kept" }, status: kept }]);
    // Without an owner nobody collects it later.
    expect(JSON.stringify(items)).not.toMatch(/ownerReferences|deletionTimestamp/);
    const files = await bench.node.exec("find", "/var/volumes/kept", "-name", "trace.txt");
    expect(files).toContain("trace.txt");
  });

  describe("with a pod that waits", () => {
    let tap: Wiretap;

    beforeAll(async () => {
      tap = await Wiretap.start(bench.platform.url);
      await bench.upgrade({
        "warmPool.size": 1,
        "warmPool.namespace": sessionNamespace,
        "edge.url": await bench.node.expose(tap.url),
        "tracing.endpoint": collectorUrl,
        "tracing.to": JSON.stringify([{ ipBlock: { cidr: `${nodeAddress}/32` } }]),
      });
    });

    it("gets that one at once, without a Job, and another waits in its place", async () => {
      const pod = await untilOneWaits(bench);
      await bench.apply("warm", { build: [mark("a"), hold] });
      const run = await bench.followUntil("warm", "holding\n");
      expect((await bench.untilPhase("warm", "Running")).status).toMatchObject({
        attempt: 1,
        podName: pod,
        warmPod: pod,
      });
      expect(await bench.pods("warm")).toEqual([`pod/${pod}`]);
      expect(await bench.kubectl("get", "jobs", "-o", "name")).not.toContain("/warm-");
      expect(await untilOneWaits(bench)).not.toBe(pod);
      await bench.platform.api.cancel(run.projectId, run.runId);
      await run.stream.toEnd();
      await bench.untilPhase("warm", "Stopped", "Cancelled");
      await bench.untilNothingRuns("warm");
    });

    it("is given its run token over the socket, and keeps its provider key to itself", async () => {
      const pod = await untilOneWaits(bench);
      await bench.apply("told", { build: [mark("a"), { text: "Done." }] });
      const run = await bench.follow("told");
      await expectRecord(bench.platform.api, run, await run.stream.toEnd());
      const session = await bench.untilPhase("told", "Completed", "Succeeded");
      expect(session.status).toMatchObject({ attempt: 1, warmPod: pod });
      expect((await bench.files(run)).get("trace.txt")).toBe("a\n");
      const offers = tap.answered().flatMap((text) => [...text.matchAll(/{"type":"offer".*?}/g)]);
      const offer = offers
        .map(([text]) => PoolToRunner.parse(JSON.parse(text)))
        .find((one) => one.type === "offer" && one.runId === run.runId);
      expect(offer).toMatchObject({ type: "offer", attempt: 1 });
      const token = offer?.type === "offer" ? offer.token : "none";
      const claimed = tap.sent().filter((text) => text.includes(runnerPaths.runSocket(run.runId)));
      expect(claimed.join()).toContain(`Bearer ${token}`);
      // The model takes no other key, so the pod has it; and nothing that went to the edge, or came from it, has.
      expect(bench.model.log().some(({ prompt }) => prompt.startsWith("told"))).toBe(true);
      expect(tap.sent().join()).toContain(run.runId);
      expect([...tap.sent(), ...tap.answered()].join()).not.toContain(providerKey);
      await bench.untilNothingRuns("told");
      await expectTrace("told");
    });

    it("gets a pod of its own where it needs one, and its spans leave that too", async () => {
      const env = { MODE: "careful" };
      await bench.apply("special", { build: [mark("a"), { text: "Done." }] }, { env });
      const { status } = await bench.untilPhase("special", "Completed", "Succeeded");
      expect(status?.warmPod).toBeUndefined();
      await expectTrace("special");
    });

    it("is paused when the chart is uninstalled, and no pod is left of either", async () => {
      await bench.apply("left", { build: [mark("a"), hold] });
      const run = await bench.followUntil("left", "holding\n");
      await bench.uninstall();
      await run.stream.untilNamed("run.waiting");
      const { status } = await bench.read("left");
      expect(status).toMatchObject({ phase: "Stopped", reason: "Uninstalled" });
      const { stdout } = await bench.node.kubectl("get", "pods", "-A", "-o", "name");
      expect(stdout.split("\n").filter((name) => /left|warm|millrace/.test(name))).toEqual([]);
      await bench.kubectl("delete", "ags", "left", "--timeout=30s");
    });
  });
});
