import { randomUUID } from "node:crypto";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { Claimed, Offer, type Opening, runnerPaths } from "@millrace/contracts";
import { FrameProducer } from "../../clients/frame-producer.ts";
import { Inbox, WebSocketClient, encodeMessage } from "../../clients/web-socket-client.ts";
import { emittedEvents } from "./run-service.ts";

/**
 * A runner whose work costs nothing, as the peers' graphs cost nothing: node instant-runner.ts <edge> <pool token>.
 * It speaks the runner's protocol in full: pool, offer, claim, frames, outcome. The prompt is the work.
 */
const slots = 256;
const batchSize = 50;
const text = "The quick brown fox jumps over the lazy dog, and the log keeps every word of it. ";
const runnerId = randomUUID();
const [edge, poolToken] = process.argv.slice(2);
let free = slots;

const pool = await WebSocketClient.connect(
  new URL(runnerPaths.poolSocket("default"), edge),
  { authorization: `Bearer ${poolToken}` },
  (message) => {
    const offer = Offer.safeParse(JSON.parse(message)).data;
    if (offer) void take(offer);
  },
);
const tell = (message: object): void => pool.send(encodeMessage(JSON.stringify(message)));
tell({ type: "hello", runnerId, version: "bench", slots, free });

async function take({ runId, attempt, token }: Offer): Promise<void> {
  free -= 1;
  // As the runner does: the claim goes first, a user waits for it.
  setTimeout(() => {
    tell({ type: "accept", runId, attempt });
    // The pool took a slot off for it, which this run may have given back already.
    tell({ type: "status", free });
  }, 50);
  try {
    await execute(runId, attempt, token);
  } catch (error) {
    // The platform gives the run to somebody again, as it does for every runner that fails.
    console.error(runId, error);
  } finally {
    free += 1;
    tell({ type: "status", free });
  }
}

async function execute(runId: string, attempt: number, token: string): Promise<void> {
  const inbox = new Inbox();
  const socket = await WebSocketClient.connect(
    new URL(runnerPaths.runSocket(runId), edge),
    { authorization: `Bearer ${token}` },
    (message) => inbox.put(message),
  );
  socket.send(encodeMessage(JSON.stringify({ type: "claim", runnerId, attempt, opening })));
  const { spec } = Claimed.parse(JSON.parse(await inbox.next()));
  // The step that the opening made.
  await inbox.next();
  const producer = new FrameProducer(socket, inbox);
  if (spec.prompt === "emit") await emit(producer);
  await producer.finish({ kind: "succeeded", output: "Hello." });
  producer.close();
}

const opening: Opening = {
  events: [{ type: "run.phase", data: { phase: "plan", state: "started" } }],
  step: { n: 1, body: '{"kind":"begun"}' },
};

async function emit(producer: FrameProducer): Promise<void> {
  for (let n = 0; n < emittedEvents; n += batchSize) {
    const events = Array.from({ length: batchSize }, (_, i) => ({
      type: "custom",
      data: { name: "bench", value: { n: n + i, text: `${n + i} ${text}` } },
    }));
    producer.send(at(producer.encode([events])));
    await yieldToOthers();
  }
}

function at([frame]: readonly Buffer[]): Buffer {
  if (!frame) throw new Error("no frame");
  return frame;
}
