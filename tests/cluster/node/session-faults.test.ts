import { CoreV1Api } from "@kubernetes/client-node";
import { sessionPod } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { command, holdAt, mark } from "../../support/fault-bench.ts";
import { attemptsIn, expectRecord } from "../../support/run-record.ts";
import { type Frame, nameOf } from "../../support/sse.ts";
import { waitUntil } from "../../support/wait-until.ts";
import {
  type FollowedSession,
  type SessionBench,
  sessionNamespace,
  startSessionBench,
} from "../support/session-bench.ts";

const absent = "localhost/absent/image:1";

/** Each process is smaller than the runner, so that the kernel takes the runner, and with it the container. */
const overeat = command(
  "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do head -c 40M /dev/zero | tail -c 40M > /dev/null & done; wait",
);

const reasonsIn = (frames: readonly Frame[]): readonly unknown[] =>
  frames.filter((frame) => nameOf(frame) === "attempt_failed").map(({ data }) => data["reason"]);

describe("a session that the cluster disturbs", () => {
  let bench: SessionBench;

  beforeAll(async () => {
    bench = await startSessionBench({
      "image.pullPolicy": "IfNotPresent",
      "sessions.allowedImages": JSON.stringify([absent]),
    });
  });

  /** Marks, holds, and marks again: what is done twice or lost shows in the files. */
  const begin = async (name: string): Promise<FollowedSession> => {
    await bench.apply(name, { build: [mark("a"), holdAt("gate"), mark("b"), { text: "Done." }] });
    return bench.followUntil(name, "at gate\n");
  };
  const podOf = async (name: string): Promise<string> => {
    const [pod = ""] = await bench.pods(name);
    return pod.replace("pod/", "");
  };
  const expectCompleted = async (
    name: string,
    run: FollowedSession,
    attempts: readonly number[],
  ): Promise<readonly Frame[]> => {
    const frames = await expectRecord(bench.platform.api, run, await run.stream.toEnd());
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(attemptsIn(frames)).toEqual(attempts);
    await bench.untilPhase(name, "Completed", "Succeeded");
    expect((await bench.files(run)).get("trace.txt")).toBe("a\nb\n");
    return frames;
  };

  it("goes on in another pod when somebody deletes its own", async () => {
    const run = await begin("robbed");
    await bench.kubectl("delete", "pod", await podOf("robbed"), "--wait=false");
    const frames = await expectCompleted("robbed", run, [1, 2]);
    // Its runner was told in time, and handed the run on.
    expect(reasonsIn(frames)).toEqual([]);
  });

  it("is tried again when the kernel kills it for its memory", async () => {
    await bench.apply(
      "hungry",
      { build: [mark("a"), overeat, mark("b"), { text: "Done." }] },
      { resources: { limits: { memory: "320Mi" } } },
    );
    const frames = await expectCompleted("hungry", await bench.follow("hungry"), [1, 2]);
    expect(reasonsIn(frames)).toEqual(["OutOfMemory"]);
  });

  it("says that its image cannot be pulled, and fails in the end", async () => {
    await bench.apply("absent", { build: [mark("a")] }, { image: absent });
    const run = await bench.follow("absent");
    const frames = await run.stream.toEnd();
    expect(frames.map(nameOf).at(-1)).toBe("error");
    expect(new Set(reasonsIn(frames))).toEqual(new Set(["ImagePullFailed"]));
    const { status } = await bench.untilPhase("absent", "Failed", "ImagePullFailed");
    expect(status?.message).toContain(absent);
    await bench.untilNothingRuns("absent");
  });

  it("goes on elsewhere when its pod is evicted, and that is no failure", async () => {
    const run = await begin("evicted");
    const name = await podOf("evicted");
    const metadata = { name, namespace: sessionNamespace };
    await bench.node
      .admin()
      .makeApiClient(CoreV1Api)
      .createNamespacedPodEviction({ ...metadata, body: { metadata } });
    const frames = await expectCompleted("evicted", run, [1, 2]);
    expect(reasonsIn(frames)).toEqual([]);
  });

  it("waits for room when its node is drained", async () => {
    const run = await begin("drained");
    const only = "--pod-selector=millrace.dev/session";
    await bench.kubectl("drain", "node-1", "--delete-emptydir-data", "--force", only);
    await bench.untilPhase("drained", "Creating", "Unschedulable");
    await bench.kubectl("uncordon", "node-1");
    const frames = await expectCompleted("drained", run, [1, 2]);
    expect(reasonsIn(frames)).toEqual([]);
  });

  it("says that the quota leaves no room for it, and starts when there is some", async () => {
    await bench.kubectl("create", "quota", "full", "--hard=pods=0");
    await bench.apply("cramped", { build: [mark("a"), mark("b"), { text: "Done." }] });
    const run = await bench.follow("cramped");
    const { status } = await bench.untilPhase("cramped", "Creating", "QuotaExceeded");
    expect(status?.message).toContain("full");
    await bench.kubectl("delete", "quota", "full");
    const frames = await expectCompleted("cramped", run, [1]);
    expect(reasonsIn(frames)).toEqual([]);
  });

  it("has one Job, and is not disturbed, when the operator is killed", async () => {
    const build = [mark("a"), holdAt("gate"), mark("b"), { text: "Done." }];
    await bench.apply("tended", { build });
    await bench.killOperator();
    const run = await bench.followUntil("tended", "at gate\n");
    await bench.killOperator();
    const home = `/var/lib/millrace/workspaces/.millrace/home/${run.projectId}`;
    const touch = ["node", "-e", `fs.writeFileSync("${home}/gate", "")`];
    await bench.kubectl("exec", await podOf("tended"), "--", ...touch);
    await expectCompleted("tended", run, [1]);
    const made = await bench.events("tended", "SuccessfulCreate");
    expect(made.map(({ involvedObject }) => involvedObject.name)).toEqual(["tended-1"]);
    await waitUntil("nothing runs any more", async () => (await bench.pods("tended")).length === 0);
  });

  it("finds the token that the operator has renewed in its file", async () => {
    const run = await begin("renewed");
    const pod = await podOf("renewed");
    const inPod = () => bench.kubectl("exec", pod, "--", "cat", `${sessionPod.paths.run}/token`);
    const first = await inPod();
    // That half its life is over is not waited for here.
    const due = "millrace.dev/token-renew-at=2026-01-01T00:00:00Z";
    await bench.kubectl("annotate", "secret", "renewed-1", due, "--overwrite");
    await waitUntil("kubelet has brought another", async () => (await inPod()) !== first, 120_000);
    const stored = ["get", "secret", "renewed-1", "-o", "jsonpath={.data.token}"];
    const token = Buffer.from(await bench.kubectl(...stored), "base64").toString();
    expect(await inPod()).toBe(token);
    await bench.platform.api.cancel(run.projectId, run.runId);
    await run.stream.toEnd();
    await bench.untilPhase("renewed", "Stopped", "Cancelled");
  });

  it("says what is wrong with its repository, its model or its MCP server, tries as often as may help, and leaves nothing", async () => {
    // A name that the cluster itself knows not to exist: nobody outside is asked.
    const url = "https://git.nowhere.svc.cluster.local/shop.git";
    const message = "The model gpt-99 does not exist";
    const refused = { plan: [{ fault: { kind: "status" as const, status: 404, message } }] };
    await bench.apply("homeless", { build: [mark("a")] }, { repos: [{ url }] });
    await bench.apply("modelless", refused, { model: { name: "gpt-99" } });
    const model = { name: "claude-opus-4-6", provider: "anthropic" };
    await bench.apply("keyless", { build: [mark("a")] }, { model });
    const docs = { url: "https://mcp.nowhere.svc.cluster.local/mcp" };
    await bench.apply("toolless", { build: [mark("a")] }, { mcpServers: { docs } });
    const outcomes = [
      ["homeless", "RepositoryFailed", `${url} could not be cloned: `, [1, 2, 3]],
      ["modelless", "ProviderRejected", `openai answered 404: ${message}`, [1]],
      [
        "toolless",
        "McpServerFailed",
        `The MCP server docs (${docs.url}) cannot be used: `,
        [1, 2, 3],
      ],
      ["keyless", "ProviderRejected", "no key for anthropic. Set ANTHROPIC_API_KEY", [1]],
    ] as const;
    for (const [name, reason, words, attempts] of outcomes) {
      const run = await bench.follow(name);
      const frames = await run.stream.toEnd();
      const last = frames.at(-1);
      expect(last?.event, name).toBe("error");
      expect(JSON.stringify(last?.data)).toContain(words);
      expect(attemptsIn(frames)).toEqual(attempts);
      const { status } = await bench.untilPhase(name, "Failed", reason);
      expect(status?.message).toContain(words);
      await bench.untilNothingRuns(name);
      const made = await bench.events(name, "SuccessfulCreate");
      expect(made).toHaveLength(attempts.length);
      const repos = frames.filter((frame) => nameOf(frame) === "workspace.repo");
      const failed = repos.filter(({ data }) => data["state"] === "failed");
      expect(failed).toHaveLength(name === "homeless" ? attempts.length : 0);
    }
    await Promise.all(outcomes.map(([name]) => bench.remove(name)));
  });
});
