import { parseArgs } from "node:util";

export interface PeersOptions {
  readonly json: boolean;
  readonly strict: boolean;
  readonly help: boolean;
  readonly only: readonly string[];
  readonly rounds: number;
}

export const peersUsage = `Usage: npm run bench -- --peers [options]

Measures Millrace beside LangGraph's in-memory server and the reference server of Durable Streams, in turns.
The first time it installs them into bench/peers. Prints a Markdown table.

  --only <name>     only this figure; may be repeated
  --rounds <n>      rounds for each figure (3)
  --json            print JSON instead of a table
  --strict          exit with 1 when a bar is missed
  --help            print this
`;

/** Throws with a sentence for the user when the arguments make no sense. */
export function readPeersOptions(argv: readonly string[], names: readonly string[]): PeersOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  for (const name of values.only) {
    if (!names.includes(name)) throw new Error(`no figure ${name}: ${names.join(", ")}`);
  }
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error("--rounds is a positive integer");
  const { json, strict, help, only } = values;
  return { json, strict, help, only, rounds };
}
