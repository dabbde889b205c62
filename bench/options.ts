import { parseArgs } from "node:util";
import { sideNames, type SideName } from "./sides/side.ts";

export interface Options {
  readonly json: boolean;
  readonly strict: boolean;
  readonly help: boolean;
  readonly only: readonly string[];
  readonly sides: readonly SideName[];
  readonly rounds: number;
}

export const usage = `Usage: npm run bench -- [options]
       npm run bench -- operator [options]    the operator on a real API server; see operator --help

Measures Millrace beside a bare Durable Object that does the minimum, in alternating rounds.

  --peers           beside other servers instead; see --peers --help
  --only <name>     only this figure; may be repeated
  --side <name>     only "ours" or "bare", for profiling
  --rounds <n>      rounds for each figure (5)
  --json            print JSON instead of a table
  --strict          exit with 1 when a bar is missed
  --help            print this
`;

/** Throws with a sentence for the user when the arguments make no sense. */
export function readOptions(argv: readonly string[], figureNames: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", multiple: true, default: [] },
      side: { type: "string" },
      rounds: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  for (const name of values.only) {
    if (!figureNames.includes(name))
      throw new Error(`no figure ${name}: ${figureNames.join(", ")}`);
  }
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error("--rounds is a positive integer");
  const sides = sideNames.filter((name) => values.side === undefined || values.side === name);
  if (sides.length === 0) throw new Error(`--side is one of ${sideNames.join(", ")}`);
  return {
    json: values.json,
    strict: values.strict,
    help: values.help,
    only: values.only,
    sides,
    rounds,
  };
}
