import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { check } from "./checker/check.ts";
import { playClient, type Ledger } from "./clients.ts";
import { collect } from "./collect.ts";
import { doHarm } from "./faults.ts";
import type { TortureRecord, Violation } from "./record.ts";
import { Random } from "./random.ts";
import { readSettings, settleMs } from "./settings.ts";
import { setStage, type Stage } from "./stage.ts";
import { Tally } from "./tally.ts";

const { seed, seconds, removed, reportFile, stuckMs } = readSettings(process.env);
const clients = 10;
const setUpMs = 60_000;

it(
  `keeps every promise under ${seconds} s of faults, seed ${seed}`,
  async () => {
    const random = new Random(seed);
    const tally = new Tally();
    const ledger: Ledger = { creates: [], runs: new Map() };
    const stage = await setStage({ random: random.branch(), seconds, removed });
    const stopAt = Date.now() + seconds * 1_000;
    const deadline = stopAt + settleMs;
    const playing = Array.from({ length: clients }, () =>
      playClient({ api: stage.api, random: random.branch(), ledger, tally, stopAt, deadline }),
    );
    const telling = setInterval(() => {
      process.stderr.write(`torture: ${JSON.stringify(tally.counts)}\n`);
    }, 30_000);
    await Promise.all([...playing, doHarm(stage, { random: random.branch(), tally, stopAt })]);
    const record = await collect(stage, ledger, stuckMs);
    clearInterval(telling);
    addFigures(tally, record, await stage.platform.log());
    const violations = check(record);
    const report = { seed, seconds, removed, violations, counts: tally.counts };
    process.stderr.write(`torture: ${describeReport(report)}\n`);
    if (reportFile !== undefined) await writeFile(reportFile, JSON.stringify(report));
    if (violations.length > 0) await keepEvidence(stage, record);
    expect(violations.map(describeViolation).slice(0, shown)).toEqual([]);
  },
  setUpMs + seconds * 1_000 + settleMs + 120_000,
);

function addFigures(tally: Tally, { creates, runs }: TortureRecord, edgeLog: string): void {
  for (const [, kind] of edgeLog.matchAll(/torture fault: (\w+)/g)) tally.add(`${kind} (binding)`);
  tally.add("checked: answers to creates", creates.length);
  for (const { log, readers, status, executions, modelCalls } of runs) {
    tally.add(`runs ${status}`);
    tally.add(
      "connections of readers",
      readers.reduce((sum, one) => sum + one.connections, 0),
    );
    tally.add("attempts", log.filter(({ type }) => type === "run.started").length);
    tally.add("checked: events", log.length);
    tally.add("checked: readers", readers.length);
    tally.add("checked: commands", executions.length);
    tally.add("checked: model calls", modelCalls.length);
  }
}

/** A broken bundle breaks a promise hundreds of times. */
const shown = 20;

/** What a violation is found in, left behind for whoever looks for its cause. */
async function keepEvidence({ platform, places }: Stage, record: TortureRecord): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-torture-evidence-"));
  const runnerLogs = await Promise.all(places.map(({ runner }) => runner.log()));
  const files = {
    "record.json": JSON.stringify(record),
    "edge.log": await platform.log(),
    "runners.log": runnerLogs.join("\n"),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  process.stderr.write(`torture: the evidence lies in ${directory}\n`);
}

function describeViolation({ promise, runId, evidence }: Violation): string {
  return `${promise} ${runId}: ${evidence}`;
}

function describeReport(report: {
  readonly seed: number;
  readonly seconds: number;
  readonly violations: readonly Violation[];
  readonly counts: Readonly<Record<string, number>>;
}): string {
  const { seed: drawn, seconds: lasted, violations, counts } = report;
  const figures = Object.entries(counts).map(([name, count]) => `  ${name}: ${count}`);
  const head = `seed ${drawn}, ${lasted} s of faults, ${violations.length} violations`;
  return [head, ...figures].join("\n");
}
