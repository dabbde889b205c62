import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { v1 } from "@millrace/contracts";
import { expect, it } from "vitest";
import { Follower } from "../support/follower.ts";
import { startEdgeBench, type EdgeBench } from "../support/edge-bench.ts";
import { promptFor } from "../support/model-server/scenario.ts";
import { attemptsIn, expectNoAnswerTwice, expectRecord } from "../support/run-record.ts";
import { waitUntil } from "../support/wait-until.ts";

/** One client's wish, and every 2xx that it got for it. */
class Wish {
  readonly key = randomUUID();
  readonly answers: v1.RunCreated[] = [];
  readonly projectId: string;
  readonly #bench: EdgeBench;

  constructor(bench: EdgeBench, projectId: string) {
    this.#bench = bench;
    this.projectId = projectId;
  }

  async ask(): Promise<void> {
    const prompt = promptFor({ build: [{ text: "Done." }] }, `wish ${this.key}`);
    this.answers.push(await this.#bench.api.createRun(this.projectId, { prompt }, this.key));
  }

  /** As a client does that got no answer: again with the same key. */
  async askUntilAnswered(): Promise<void> {
    while (this.answers.length === 0) {
      await this.ask().catch(() => sleep(50));
    }
  }
}

it("keeps each run that it accepted when it is killed among creates, and makes none of them twice", async () => {
  const bench = await startEdgeBench();
  const projects = await Promise.all([0, 1, 2, 3].map(() => bench.api.createProject()));
  const clients = projects.flatMap((project) =>
    [0, 1].map(() => [0, 1, 2].map(() => new Wish(bench, project))),
  );
  const wishes = clients.flat();
  const answered = (): number => wishes.filter(({ answers }) => answers.length > 0).length;
  const asking = Promise.all(
    clients.map(async (own) => {
      for (const wish of own) await wish.askUntilAnswered();
    }),
  );
  for (const enough of [3, 11]) {
    await waitUntil(`${enough} creates are answered`, () => answered() >= enough);
    await bench.platform.restart();
  }
  await asking;
  await Promise.all(wishes.map((wish) => wish.ask()));
  for (const { answers, projectId } of wishes) {
    const [first, again] = answers;
    expect(again).toMatchObject({ id: first?.id, created: false });
    const run = { projectId, runId: first?.id ?? "" };
    const frames = await expectRecord(bench.api, run, await new Follower(bench.api, run).end);
    expect(attemptsIn(frames)).toEqual([1]);
    expect(await bench.api.run(projectId, run.runId)).toMatchObject({ status: "completed" });
  }
  for (const project of projects) {
    const listed = await bench.api.request("GET", `/v1/projects/${project}/runs`);
    const { data } = v1.page(v1.RunSummary).parse(listed.body);
    const wanted = wishes.filter(({ projectId }) => projectId === project);
    expect(new Set(data.map(({ id }) => id))).toEqual(
      new Set(wanted.map(({ answers }) => answers[0]?.id)),
    );
    expect(data).toHaveLength(wanted.length);
  }
  expectNoAnswerTwice(bench.model.log());
});
