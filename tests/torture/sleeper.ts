import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Offer, runnerPaths, type RunnerToPool, type RunnerToRun } from "@millrace/contracts";
import type { Platform } from "../support/platform.ts";
import type { Random } from "./random.ts";
import { lateName } from "./record.ts";
import type { Tally } from "./tally.ts";

interface Night {
  readonly random: Random;
  readonly tally: Tally;
  readonly stopAt: number;
}

/**
 * A runner without a clock: it takes a run, says nothing for longer than its lease, and then writes on the socket on which
 * it once claimed, as if nothing had happened. Its word says for which attempt it speaks.
 */
export async function playSleeper(platform: Platform, night: Night): Promise<void> {
  while (Date.now() < night.stopAt) {
    await sleepOver(platform, night).catch(() => undefined); // the edge is away: the next night comes
    await sleep(night.random.between(4_000, 12_000));
  }
}

/** A runner that takes a run and is gone before it has claimed it: to the pool the run has a runner, and it has none. */
export async function playQuitter(platform: Platform, night: Night): Promise<void> {
  while (Date.now() < night.stopAt) {
    await takeAndLeave(platform, night).catch(() => undefined); // as for the sleeper
    await sleep(night.random.between(1_000, 6_000));
  }
}

interface Taken {
  readonly runnerId: string;
  readonly offer: Offer;
}

/** Joins the pool as somebody new and takes the next run that is offered. */
async function takeRun(
  platform: Platform,
  stopAt: number,
  use: (taken: Taken) => Promise<void>,
): Promise<void> {
  const runnerId = randomUUID();
  const pool = await open(platform.url, runnerPaths.poolSocket("default"), platform.poolToken);
  try {
    say(pool, { type: "hello", runnerId, version: "torture", slots: 1, free: 1 });
    const offer = await nextOffer(pool, AbortSignal.timeout(Math.max(1, stopAt - Date.now())));
    say(pool, { type: "accept", runId: offer.runId, attempt: offer.attempt });
    await use({ runnerId, offer });
  } finally {
    pool.close();
  }
}

async function takeAndLeave(platform: Platform, night: Night): Promise<void> {
  await takeRun(platform, night.stopAt, async () => {
    night.tally.add("runner took a run and left");
    await sleep(night.random.between(10, 800));
  });
}

async function sleepOver(platform: Platform, { random, tally, stopAt }: Night): Promise<void> {
  await takeRun(platform, stopAt, async ({ runnerId, offer }) => {
    const { runId, attempt } = offer;
    const run = await open(platform.url, runnerPaths.runSocket(runId), offer.token);
    say(run, { type: "claim", runnerId, attempt });
    tally.add("runner fell asleep");
    await sleep(random.between(8_000, 14_000));
    const events = [{ type: "custom" as const, data: { name: lateName, value: attempt } }];
    say(run, { type: "frame", producerSeq: 1, events });
    if (run.readyState === WebSocket.OPEN) tally.add("runner woke up and wrote");
    await sleep(500);
    run.close();
  });
}

function say(socket: WebSocket, message: RunnerToPool | RunnerToRun): void {
  socket.send(JSON.stringify(message));
}

async function open(url: string, path: string, token: string): Promise<WebSocket> {
  const target = new URL(path, url);
  target.protocol = "ws:";
  const socket = new WebSocket(target, { headers: { authorization: `Bearer ${token}` } });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("open", () => resolve());
  socket.addEventListener("close", () => reject(new Error(`${path} was refused`)));
  await promise;
  return socket;
}

async function nextOffer(pool: WebSocket, signal: AbortSignal): Promise<Offer> {
  const { promise, resolve, reject } = Promise.withResolvers<Offer>();
  pool.addEventListener("message", ({ data }) => {
    const offer = Offer.safeParse(JSON.parse(String(data)));
    if (offer.success) resolve(offer.data);
  });
  pool.addEventListener("close", () => reject(new Error("the pool is gone")));
  signal.addEventListener("abort", () => reject(new Error("the storm is over")));
  return promise;
}
