import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "./figures/create.ts";
import { delivery } from "./figures/delivery.ts";
import { fanOut } from "./figures/fan-out.ts";
import { ingest } from "./figures/ingest.ts";
import { replay } from "./figures/replay.ts";
import { measureFigure, type Result } from "./measure.ts";
import { readOptions, usage, type Options } from "./options.ts";
import { formatTable, makeReport } from "./report.ts";
import { benchOperator } from "./operator/bench-operator.ts";
import { benchPeers } from "./peers/bench-peers.ts";
import { startBare } from "./sides/start-bare.ts";
import { startOurs } from "./sides/start-ours.ts";
import type { Side } from "./sides/side.ts";

const figures = [create, ingest, delivery, fanOut, replay];
const progress = (line: string): void => console.error(line);

async function bench(options: Options): Promise<boolean> {
  const stateDir = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  const sides: Side[] = [];
  try {
    for (const name of options.sides) sides.push(await start[name](join(stateDir, name)));
    const results: Result[] = [];
    for (const figure of figures) {
      if (options.only.length > 0 && !options.only.includes(figure.name)) continue;
      results.push(...(await measureFigure(figure, sides, options.rounds, progress)));
    }
    const report = makeReport(results, options.rounds, new Date());
    console.log(options.json ? JSON.stringify(report, null, 2) : formatTable(report));
    return results.every((result) => result.met !== false);
  } finally {
    for (const side of sides) await side.dispose();
    await rm(stateDir, { recursive: true, force: true });
  }
}

const start = {
  ours: startOurs,
  bare: startBare,
};

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--peers")) return benchPeers(argv.filter((arg) => arg !== "--peers"));
  if (argv[0] === "operator") return benchOperator(argv.slice(1));
  const names = figures.map((figure) => figure.name);
  const options = readOptions(argv, names);
  if (options.help) return console.log(usage);
  if (!(await bench(options)) && options.strict) process.exitCode = 1;
}

await main(process.argv.slice(2));
