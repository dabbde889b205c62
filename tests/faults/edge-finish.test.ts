import { beforeAll, describe, expect, it } from "vitest";
import { expectOneAttempt, follow, startEdgeBench, type EdgeBench } from "../support/edge-bench.ts";
import { command, mark } from "../support/fault-bench.ts";
import { isTerminalFrame, nameOf } from "../support/sse.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: EdgeBench;

beforeAll(async () => {
  bench = await startEdgeBench();
});

const megabyte = 1024 * 1024;

describe("an edge that is killed at a run's end", () => {
  it("while state and archive are uploaded: they are stored, and the run ends once", async () => {
    const run = await bench.begin("uploads", {
      build: [command("head -c 20971520 /dev/urandom > noise"), mark("made"), { text: "Done." }],
    });
    const followers = follow(bench, run);
    await followers[0].untilNamed("git_commit");
    // 20 MiB that nothing compresses go up twice: as the project's state, then as the user's archive.
    for (const sentMegabytes of [10, 25]) {
      const until = bench.network.requested + sentMegabytes * megabyte;
      await waitUntil("the upload is under way", () => bench.network.requested > until);
      expect(followers[0].frames.map(nameOf)).not.toContain("workspace_snapshot_stored");
      await bench.platform.restart();
    }
    await expectOneAttempt(bench, run, { followers, trace: "made\n" });
  });

  it("between the last frame and its ack: the run ends once, and the runner is free", async () => {
    const run = await bench.begin("last ack", { build: [mark("made"), { text: "Done." }] });
    const followers = follow(bench, run);
    await followers[0].untilNamed("git_commit");
    bench.network.slow("answers", 700);
    await followers[0].until(isTerminalFrame);
    await bench.platform.kill();
    bench.network.dropConnections();
    bench.network.restore();
    await bench.platform.start();
    await expectOneAttempt(bench, run, { followers, trace: "made\n" });
    const { projectId } = run;
    const next = await bench.begin("next", { build: [mark("again"), { text: "." }] }, projectId);
    await expectOneAttempt(bench, next, { followers: follow(bench, next), trace: "made\nagain\n" });
    // It has understood that its last frame had arrived: to it, too, the run ended well.
    expect(await bench.runner.log()).not.toContain("fenced");
  });
});
