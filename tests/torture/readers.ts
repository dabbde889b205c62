import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "../support/api.ts";
import { isTerminalFrame, type Frame } from "../support/sse.ts";
import type { Random } from "./random.ts";
import type { LoggedEvent, ReaderRecord } from "./record.ts";
import type { Tally } from "./tally.ts";

export interface Reader {
  /** Resolves when the stream ended behind the run's end, or the reader gave up. */
  readonly over: Promise<void>;
  readonly record: () => ReaderRecord;
}

interface ReaderSettings {
  readonly api: Api;
  readonly run: { readonly runId: string; readonly projectId: string };
  readonly random: Random;
  readonly tally: Tally;
  readonly deadline: number;
}

/** Follows a run from its first event in one of several manners, and resumes whenever its stream breaks. */
export function startReader(settings: ReaderSettings): Reader {
  const { random } = settings;
  return random.chance(30) ? readStream(settings) : readFrames(settings);
}

function readFrames({ api, run, random, tally, deadline }: ReaderSettings): Reader {
  const frames: Frame[] = [];
  let ended = false;
  let connections = 0;
  // Slow ones take their time over each frame, restless ones leave and come back, stalled ones take nothing for a while.
  const slowMs = random.chance(25) ? random.between(5, 60) : 0;
  const restless = random.chance(25);
  let stallMs = random.chance(15) ? random.between(2_000, 15_000) : 0;
  const readOnce = async (): Promise<void> => {
    const last = frames.at(-1);
    const resume = last === undefined ? {} : { lastEventId: last.id };
    const stream = await api.stream(run.projectId, run.runId, resume);
    connections += 1;
    const leave = setTimeout(() => stream.leave(), Math.max(0, deadline - Date.now()));
    try {
      for (let frame = await stream.next(); frame; frame = await stream.next()) {
        frames.push(frame);
        if (slowMs > 0) await sleep(slowMs);
        if (stallMs > 0 && random.chance(5)) {
          tally.add("readers stalled");
          await sleep(stallMs);
          stallMs = 0;
        }
        if (restless && random.chance(10)) return stream.leave();
      }
      ended = isTerminalFrame(frames.at(-1) ?? neverFrame);
    } finally {
      clearTimeout(leave);
    }
  };
  const over = untilEnded(() => ended, readOnce, { deadline, tally });
  const record = (): ReaderRecord => ({
    kind: "sse",
    ids: frames.map(({ id }) => id),
    items: frames.map((frame) => JSON.stringify(frame)),
    ended,
    connections,
  });
  return { over, record };
}

const neverFrame: Frame = { id: 0, event: "status", data: {}, ts: "" };

function readStream({ api, run, tally, deadline }: ReaderSettings): Reader {
  const events: LoggedEvent[] = [];
  let offset = "-1";
  let ended = false;
  let connections = 0;
  const readOnce = async (): Promise<void> => {
    const signal = AbortSignal.timeout(Math.min(20_000, Math.max(1, deadline - Date.now())));
    const path = `/v1/streams/runs/${run.runId}?offset=${offset}&live=long-poll`;
    const { status, headers, body } = await api.request("GET", path, { signal });
    if (status !== 200 && status !== 204) throw new Error(`read: ${status}`);
    connections += 1;
    if (status === 200) events.push(...(body as readonly LoggedEvent[]));
    offset = headers.get("stream-next-offset") ?? offset;
    ended = headers.get("stream-closed") === "true";
  };
  const over = untilEnded(() => ended, readOnce, { deadline, tally });
  const record = (): ReaderRecord => ({
    kind: "stream",
    ids: events.map(({ seq }) => seq),
    items: events.map((event) => JSON.stringify(event)),
    ended,
    connections,
  });
  return { over, record };
}

async function untilEnded(
  isEnded: () => boolean,
  readOnce: () => Promise<void>,
  { deadline, tally }: Pick<ReaderSettings, "deadline" | "tally">,
): Promise<void> {
  while (!isEnded() && Date.now() < deadline) {
    try {
      await readOnce();
    } catch {
      tally.add("streams broken");
      await sleep(100);
    }
  }
}
