import { beforeAll, describe, expect, it } from "vitest";
import { mark } from "../../support/fault-bench.ts";
import { attemptsIn, expectRecord } from "../../support/run-record.ts";
import { nameOf } from "../../support/sse.ts";
import { unzip } from "../../support/zip.ts";
import { type SessionBench, startSessionBench } from "../support/session-bench.ts";

/** The edge outside, the operator and the sessions' pods on a node that really runs them. */
describe("a session on a real node", () => {
  let bench: SessionBench;

  beforeAll(async () => {
    bench = await startSessionBench();
  });

  it("goes from kubectl apply to Completed, seen and kept at the edge", async () => {
    await bench.apply("plain", { build: [mark("a"), { text: "Done." }] });
    const run = await bench.follow("plain");
    const frames = await run.stream.toEnd();
    await expectRecord(bench.platform.api, run, frames);
    expect(frames.map(nameOf).at(-1)).toBe("done");
    expect(attemptsIn(frames)).toEqual([1]);
    const session = await bench.untilPhase("plain", "Completed", "Succeeded");
    expect(session.status).toMatchObject({ runId: run.runId, attempt: 1 });
    const files = await unzip(await bench.platform.api.download(run.projectId, run.runId));
    expect(files.get("trace.txt")?.toString()).toBe("a\n");
  });
});
