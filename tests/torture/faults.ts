import { setTimeout as sleep } from "node:timers/promises";
import type { LateFate, TcpProxy } from "../support/tcp-proxy.ts";
import type { Random } from "./random.ts";
import { playQuitter, playSleeper } from "./sleeper.ts";
import type { RunnerPlace, Stage } from "./stage.ts";
import type { Tally } from "./tally.ts";

interface Chaos {
  readonly random: Random;
  readonly tally: Tally;
  readonly stopAt: number;
}

/** Longer than lease and grace: whoever comes back from it has been replaced. */
const longestSilenceMs = 12_000;

const joinMs = 20_000;

/** Most of them lose their socket to a kill of the edge, and never get to write. */
const sleepers = 3;

/** Does harm until it is time to stop. Everything that it took away is back when it resolves. */
export async function doHarm(stage: Stage, { random, tally, stopAt }: Chaos): Promise<void> {
  const lane = (): Chaos => ({ random: random.branch(), tally, stopAt });
  loseMessages(stage.inside, lane());
  await Promise.all([
    harmEdge(stage, lane()),
    harmRunner(stage.places[0], lane()),
    harmRunner(stage.places[1], lane()),
    harmNetwork(stage.inside, lane(), longestSilenceMs),
    harmNetwork(stage.outside, lane(), 4_000),
    playQuitter(stage.platform, lane()),
    ...Array.from({ length: sleepers }, () => playSleeper(stage.platform, lane())),
  ]);
  stage.inside.fateOf = () => "pass";
  // A connection that loses what is said on it would do so for ever.
  stage.inside.dropConnections();
}

/** Waits a random while; false: it is over. */
async function pause({ random, stopAt }: Chaos, least: number, most: number): Promise<boolean> {
  await sleep(Math.max(0, Math.min(random.between(least, most), stopAt - Date.now())));
  return Date.now() < stopAt;
}

async function harmEdge({ platform }: Stage, chaos: Chaos): Promise<void> {
  while (await pause(chaos, 3_000, 20_000)) {
    chaos.tally.add("edge killed");
    await platform.restart(chaos.random.between(0, 800));
  }
}

async function harmRunner(place: RunnerPlace, chaos: Chaos): Promise<void> {
  const { random, tally } = chaos;
  while (await pause(chaos, 2_000, 8_000)) {
    const harm = random.pick(["killed", "stopped", "frozen"]);
    tally.add(`runner ${harm}`);
    if (harm === "frozen") {
      place.runner.signal("SIGSTOP");
      await sleep(random.between(500, longestSilenceMs));
      place.runner.signal("SIGCONT");
      continue;
    }
    if (harm === "killed") await place.runner.kill();
    else await place.runner.stop();
    await sleep(random.between(0, 2_000));
    place.runner = await place.start();
    // On a machine that is busy a runner would be killed before it has ever worked.
    await Promise.race([place.runner.joined().catch(() => undefined), sleep(joinMs)]);
  }
}

async function harmNetwork(network: TcpProxy, chaos: Chaos, mostMs: number): Promise<void> {
  const { random, tally } = chaos;
  while (await pause(chaos, 3_000, 10_000)) {
    const harm = random.pick(["dropped", "silent", "deaf", "slow"]);
    tally.add(`network ${harm}`);
    switch (harm) {
      case "dropped":
        network.dropConnections();
        break;
      case "silent":
        network.blackhole();
        break;
      case "deaf":
        network.blackhole("answers");
        break;
      case "slow":
        network.slow("answers", random.between(50, 400));
        break;
    }
    if (harm !== "dropped") await sleep(random.between(200, mostMs));
    // What was on its way when a connection ends is lost: a frame cut in the middle.
    if (harm === "slow") network.dropConnections();
    network.restore();
  }
  network.restore();
}

/**
 * Sockets of runners on which everything is lost from some point on: what the edge says (acks, cancels, offers), with or
 * without the connection, or what the runner says. What was said before is known to one side only.
 */
function loseMessages(network: TcpProxy, { random, tally }: Chaos): void {
  network.fateOf = (requestLine): LateFate => {
    const isRun = requestLine.includes("/runs/");
    const isHarmed = requestLine.includes("/socket") && random.chance(isRun ? 40 : 15);
    if (!isHarmed) return { fate: "pass", afterPieces: 0 };
    tally.add("sockets that lose messages");
    return {
      fate: random.pick(["lose_messages", "break_at_message", "lose_requests"]),
      afterPieces: random.between(0, isRun ? 40 : 3),
    };
  };
}
