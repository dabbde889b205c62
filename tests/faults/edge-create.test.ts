import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { v1 } from "@millrace/contracts";
import { expect, it } from "vitest";
import type { Api } from "../support/api.ts";
import { Follower } from "../support/follower.ts";
import { startFaultBench } from "../support/fault-bench.ts";
import { promptFor } from "../support/model-server/scenario.ts";
import { attemptsIn, expectNoAnswerTwice, expectRecord } from "../support/run-record.ts";

/** One client's wish, and every 2xx that it got for it. */
class Wish {
  readonly key = randomUUID();
  readonly answered: v1.RunCreated[] = [];
  readonly projectId: string;
  readonly #api: Api;

  constructor(api: Api, projectId: string) {
    this.#api = api;
    this.projectId = projectId;
  }

  async ask(): Promise<void> {
    const prompt = promptFor({ build: [{ text: "Done." }] }, `wish ${this.key}`);
    this.answered.push(await this.#api.createRun(this.projectId, { prompt }, this.key));
  }

  /** As a client does that got no answer: again with the same key. */
  async askUntilAnswered(): Promise<void> {
    while (this.answered.length === 0) {
      await this.ask().catch(() => sleep(50));
    }
  }
}

it("keeps each run that it accepted when it is killed among creates, and makes none of them twice", async () => {
  const bench = await startFaultBench();
  const projects = await Promise.all([0, 1, 2, 3].map(() => bench.api.createProject()));
  const clients = projects.flatMap((project) =>
    [0, 1].map(() => [0, 1].map(() => new Wish(bench.api, project))),
  );
  const wishes = clients.flat();
  const answers = new EventEmitter();
  const ask = async (own: readonly Wish[]): Promise<void> => {
    for (const wish of own) {
      await wish.askUntilAnswered();
      answers.emit("answer");
    }
  };
  const asking = Promise.all(clients.map(ask));
  for (let kills = 0; kills < 5; kills += 1) {
    // Seven other creates are on their way when one is answered.
    await Promise.race([once(answers, "answer"), asking]);
    await bench.platform.restart();
  }
  await asking;
  await Promise.all(wishes.map((wish) => wish.ask()));
  await bench.startRunner();
  for (const { answered, projectId } of wishes) {
    const [first, again] = answered;
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
    expect(data).toHaveLength(wanted.length);
    expect(new Set(data.map(({ id }) => id))).toEqual(
      new Set(wanted.map(({ answered }) => answered[0]?.id)),
    );
  }
  expectNoAnswerTwice(bench.model.log());
});
