import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { v1 } from "@millrace/contracts";
import { z } from "zod";
import type { Api } from "../support/api.ts";
import { promptFor } from "../support/model-server/scenario.ts";
import type { Random } from "./random.ts";
import { startReader, type Reader } from "./readers.ts";
import type { CancelAnswer, CreateAnswer } from "./record.ts";
import { makePlay } from "./scenario.ts";
import type { Tally } from "./tally.ts";

const Created = v1.envelope(v1.RunCreated);
const Cancelled = z.object({ data: v1.RunCancelled });

/** A run that some client made, with everything that its clients saw so far. */
export interface ClientRun {
  readonly runId: string;
  readonly projectId: string;
  readonly title: string;
  /** All that its model may say. */
  readonly messages: readonly string[];
  readonly readers: readonly Reader[];
  readonly cancels: CancelAnswer[];
}

/** What all clients together keep for the checker. */
export interface Ledger {
  readonly creates: CreateAnswer[];
  readonly runs: Map<string, ClientRun>;
}

interface Client {
  readonly api: Api;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly tally: Tally;
  readonly stopAt: number;
  /** After it nobody waits for an answer any more. */
  readonly deadline: number;
}

/** One user: makes a run, repeats itself, follows, perhaps cancels, and comes again. */
export async function playClient(client: Client): Promise<void> {
  const projectId = await insist(client, async () => client.api.createProject());
  const runs: ClientRun[] = [];
  while (Date.now() < client.stopAt) {
    const run = await createRun(client, projectId);
    runs.push(run);
    if (client.random.chance(20)) await cancelSometime(client, run, 4_000);
    const isPatient = client.random.chance(60);
    const [first] = run.readers;
    if (isPatient && first) {
      await Promise.race([first.over, sleep(30_000)]);
      // Most often the run is over, and the cancel changes nothing.
      if (client.random.chance(40)) await cancelSometime(client, run, 0);
    } else await sleep(client.random.between(0, 1_500));
    await waitForRoom(client, runs);
  }
}

/** Runs of a project wait for one another: a storm that leaves a hundred of them behind would be followed by an hour of calm. */
async function waitForRoom({ stopAt }: Client, runs: readonly ClientRun[]): Promise<void> {
  const [reader] = runs.at(-maxOpen)?.readers ?? [];
  if (reader) await Promise.race([reader.over, sleep(Math.max(0, stopAt - Date.now()))]);
}

const maxOpen = 3;

/** Asks until there is an answer: what was not answered may have happened. */
async function insist<T>(client: Client, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > client.deadline) throw error;
      client.tally.add("requests repeated");
      await sleep(100);
    }
  }
}

async function createRun(client: Client, projectId: string): Promise<ClientRun> {
  const { api, random, ledger, tally } = client;
  const key = randomUUID();
  const title = `torture ${key}`;
  const { scenario, messages } = makePlay(random, key);
  const prompt = promptFor(scenario, title);
  const create = (body: number): Promise<CreateAnswer> =>
    insist(client, async () => {
      const asked = body === 0 ? prompt : `${prompt} and something else`;
      const headers = { "idempotency-key": key };
      const path = `/v1/projects/${projectId}/runs`;
      const answer = await api.request("POST", path, { body: { prompt: asked }, headers });
      if (answer.status >= 500) throw new Error(`create: ${answer.status}`);
      const created = Created.safeParse(answer.body);
      const runId = created.success ? created.data.data.id : null;
      const record: CreateAnswer = { key, body, status: answer.status, runId };
      ledger.creates.push(record);
      return record;
    });
  const repeats = random.chance(30) ? [create(0), create(0)] : [];
  const [made] = await Promise.all([create(0), ...repeats]);
  if (random.chance(15)) await create(1);
  if (random.chance(15)) await create(0);
  tally.add("runs created");
  if (made.runId === null) throw new Error(`create was answered ${made.status}`);
  return follow(client, { runId: made.runId, projectId, title, messages });
}

function follow(client: Client, run: Omit<ClientRun, "readers" | "cancels">): ClientRun {
  const { api, random, ledger, tally, deadline } = client;
  const readers = Array.from({ length: random.between(1, 3) }, () =>
    startReader({ api, run, random: random.branch(), tally, deadline }),
  );
  const begun: ClientRun = { ...run, readers, cancels: [] };
  ledger.runs.set(run.runId, begun);
  return begun;
}

async function cancelSometime(client: Client, run: ClientRun, withinMs: number): Promise<void> {
  await sleep(client.random.between(0, withinMs));
  const path = `/v1/projects/${run.projectId}/runs/${run.runId}/cancel`;
  const cancelled = await insist(client, async () => {
    const answer = await client.api.request("POST", path);
    return Cancelled.parse(answer.body).data.cancelled;
  });
  run.cancels.push({ cancelled, at: Date.now() });
  client.tally.add("cancels");
}
