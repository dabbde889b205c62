import { expect, it } from "vitest";
import { expectOneAttempt, follow, startEdgeBench } from "../support/edge-bench.ts";
import { mark } from "../support/fault-bench.ts";
import { nameOf } from "../support/sse.ts";

it("starts a run by its alarm when the queue lost its message and nobody was asked directly", async () => {
  const bench = await startEdgeBench({ vars: { DISPATCH_FAST_PATH: "off" } });
  const run = await bench.begin("lost message", { build: [mark("ran"), { text: "Done." }] });
  // The consumer waits a second for more messages; a local queue is memory, so this one is gone.
  await bench.platform.kill();
  const killedAt = Date.now();
  await bench.platform.start();
  const followers = follow(bench, run);
  const frames = await expectOneAttempt(bench, run, { followers, trace: "ran\n" });
  const running = frames.find((frame) => nameOf(frame) === "running");
  expect(Date.parse(running?.ts ?? "")).toBeGreaterThan(killedAt);
});
