import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProcessGroup } from "../../scripts/process-group.ts";
import { formatCaption, makeReport } from "../report.ts";
import type { Contender, Contest } from "./contender.ts";
import { append } from "./figures/append.ts";
import { delivery } from "./figures/delivery.ts";
import { emit } from "./figures/emit.ts";
import { firstEvent } from "./figures/first-event.ts";
import { replay } from "./figures/replay.ts";
import { runsAtOnce } from "./figures/runs-at-once.ts";
import { wait } from "./figures/wait.ts";
import { holdContest } from "./hold-contest.ts";
import { installPeers } from "./install-peers.ts";
import { peersUsage, readPeersOptions, type PeersOptions } from "./peers-options.ts";
import { formatComparisons } from "./peers-table.ts";
import { startLangGraph } from "./services/start-langgraph.ts";
import { startOurRuns, startOurStreams } from "./services/start-ours.ts";
import { startStreamsReference } from "./services/start-streams-reference.ts";
import type { Comparison } from "./summarise.ts";

const runContests = [firstEvent, wait, runsAtOnce, emit];
const streamContests = [append, replay, delivery];
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const stoppedExitCode = 130;
const progress = (line: string): void => console.error(line);

/** `npm run bench -- --peers`: ours beside other servers of the same work. */
export async function benchPeers(argv: readonly string[]): Promise<void> {
  const names = [...runContests, ...streamContests].map(({ name }) => name);
  const options = readPeersOptions(argv, names);
  if (options.help) return console.log(peersUsage);
  installPeers(progress);
  const stateDir = await mkdtemp(join(tmpdir(), "millrace-peers-"));
  cleanUpAtExit(stateDir);
  const results = await measureAll(options, stateDir);
  const report = makeReport(results, options.rounds, new Date());
  const table = `${formatCaption(report)}\n\n${formatComparisons(results)}`;
  console.log(options.json ? JSON.stringify(report, null, 2) : table);
  if (options.strict && results.some(({ met }) => met === false)) process.exitCode = 1;
}

async function measureAll(options: PeersOptions, stateDir: string): Promise<Comparison[]> {
  const { only, rounds } = options;
  const chosen = <Service>(contests: readonly Contest<Service>[]): Contest<Service>[] =>
    contests.filter(({ name }) => only.length === 0 || only.includes(name));
  const runs = await holdAll(chosen(runContests), rounds, [
    () => startOurRuns(join(stateDir, "runs")),
    () => startLangGraph(join(stateDir, "langgraph")),
  ]);
  const streams = await holdAll(chosen(streamContests), rounds, [
    () => startOurStreams(join(stateDir, "streams")),
    () => startStreamsReference("streams-memory", join(stateDir, "streams-memory")),
    () => startStreamsReference("streams-file", join(stateDir, "streams-file")),
  ]);
  return [...runs, ...streams];
}

/** Contests between the same services, which run only as long as they are needed. */
async function holdAll<Service extends Contender>(
  contests: readonly Contest<Service>[],
  rounds: number,
  starts: readonly (() => Promise<Service>)[],
): Promise<Comparison[]> {
  if (contests.length === 0) return [];
  const services: Service[] = [];
  try {
    for (const start of starts) services.push(await start());
    const results: Comparison[] = [];
    for (const contest of contests) {
      results.push(...(await holdContest(contest, services, rounds, progress)));
    }
    return results;
  } finally {
    for (const service of services) await service.dispose();
  }
}

/** A process group does not hear the terminal's Ctrl-C. Not only here: Miniflare leaves at once when it hears a signal. */
function cleanUpAtExit(stateDir: string): void {
  process.once("exit", () => {
    void ProcessGroup.killAll(); // which sends the signals before it waits
    rmSync(stateDir, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const name of stopSignals) process.once(name, () => process.exit(stoppedExitCode));
}
