import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import {
  archivedLines,
  countNamed,
  expectNoAnswerTwice,
  expectPairedTools,
  expectSameForAll,
} from "../support/run-record.ts";
import { command, startFollowedRun, startScene, type Scene } from "../support/scene.ts";
import type { Frame } from "../support/sse.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await startScene();
});

const tokensOf = (frames: readonly Frame[]): string =>
  frames
    .filter(({ event }) => event === "token")
    .map(({ data }) => String(data["text"] ?? data["delta"] ?? ""))
    .join("");

const chunksOf = (frames: readonly Frame[]): string =>
  frames
    .filter(({ event, data }) => event === "tool" && data["phase"] === "stream")
    .map(({ data }) => String(data["chunk"] ?? ""))
    .join("");

describe("the edge is killed", () => {
  it("while the model streams: the same attempt goes on, and nobody misses or sees twice a word", async () => {
    const { api, model, platform } = scene;
    const story = Array.from({ length: 200 }, (_, i) => `word-${i}`).join(" ");
    const { place, one, other } = await startFollowedRun(api, {
      build: [
        { text: story, tokenDelayMs: 15, toolCalls: [command("echo told >> trace.txt")] },
        { text: "Done." },
      ],
    });
    for (const word of ["word-20", "word-90"]) {
      await one.until(() => tokensOf(one.frames).includes(word));
      await platform.restart();
    }
    const log = await expectSameForAll(place, await one.end, await other.end);
    expect(one.breaks).toBeGreaterThanOrEqual(2);
    expect(tokensOf(log)).toContain(`${story}`);
    expect(tokensOf(log).match(/word-150/g)).toHaveLength(1);
    expectPairedTools(log);
    expect(countNamed(log, "running")).toBe(1);
    expect(await api.run(place.project, place.runId)).toMatchObject({
      status: "completed",
      meta: { attempt: 1 },
    });
    expect(await archivedLines(place, "trace.txt")).toEqual(["told"]);
    expectNoAnswerTwice(model);
  });

  it("with frames committed whose acks are lost, and others on the way", async () => {
    const { api, model, network, platform } = scene;
    const lines = Array.from({ length: 400 }, (_, i) => `line-${i}`);
    const { place, one, other } = await startFollowedRun(api, {
      build: [
        {
          toolCalls: [
            command("for i in $(seq 0 399); do echo line-$i; echo $i >> trace.txt; sleep 0.01; done"),
          ],
        },
        { text: "Done." },
      ],
    });
    for (const line of ["line-40\n", "line-160\n"]) {
      await one.until(() => chunksOf(one.frames).includes(line));
      // From here on the runner hears nothing, and what it says is written and reaches the readers.
      network.blackhole("answers");
      const seen = one.frames.length;
      await one.until(() => one.frames.length > seen + 5);
      await platform.kill();
      network.dropConnections();
      network.restore();
      await platform.start();
    }
    const log = await expectSameForAll(place, await one.end, await other.end);
    expect(chunksOf(log)).toBe(`${lines.join("\n")}\n`);
    expectPairedTools(log);
    expect(countNamed(log, "running")).toBe(1);
    expect((await api.run(place.project, place.runId)).meta.attempt).toBe(1);
    expect(await archivedLines(place, "trace.txt")).toEqual(lines.map((line) => line.slice(5)));
    expectNoAnswerTwice(model);
  });

  it("again and again, at any moment", async () => {
    const { api, model, platform } = scene;
    const { place, one, other } = await startFollowedRun(api, {
      build: [
        {
          repeat: 12,
          text: "once more with the same words in a row",
          tokenDelayMs: 8,
          toolCalls: [command("echo step-{i} >> trace.txt; seq 1 50; sleep 0.1")],
        },
        { text: "Done." },
      ],
    });
    let isOver = false;
    const ended = Promise.all([one.end, other.end]).finally(() => (isOver = true));
    for (let kills = 0; kills < 6 && !isOver; kills += 1) {
      await sleep(Math.random() * 900);
      await platform.restart();
    }
    const log = await expectSameForAll(place, ...(await ended));
    expectPairedTools(log);
    expect(countNamed(log, "running")).toBe(1);
    expect((await api.run(place.project, place.runId)).meta.attempt).toBe(1);
    const steps = Array.from({ length: 12 }, (_, i) => `step-${i}`);
    expect(await archivedLines(place, "trace.txt")).toEqual(steps);
    expectNoAnswerTwice(model);
  });
});
