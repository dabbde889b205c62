import { parseArgs } from "node:util";

export interface OperatorOptions {
  readonly json: boolean;
  readonly strict: boolean;
  readonly help: boolean;
  readonly only: readonly string[];
  /** Sessions in the cluster when the operator is restarted. */
  readonly cached: number;
  /** How many of them are running. */
  readonly live: number;
}

export const operatorUsage = `Usage: npm run bench -- operator [options]

Measures the operator on a real API server, with kwok in place of nodes and a scripted edge. Needs the
programs of tests/cluster (see its README.md). Prints a Markdown table.

  --only <name>     only this figure; may be repeated. \`starts\` is measured when it is named alone: it
                    runs pods, and needs what the tests on a real node need
  --cached <n>      sessions when the operator is restarted (5000)
  --live <n>        how many of them are running, at least (200)
  --json            print JSON instead of a table
  --strict          exit with 1 when a bar is missed
  --help            print this
`;

/** Throws with a sentence for the user when the arguments make no sense. */
export function readOperatorOptions(
  argv: readonly string[],
  names: readonly string[],
): OperatorOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", multiple: true, default: [] },
      cached: { type: "string", default: "5000" },
      live: { type: "string", default: "200" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  for (const name of values.only) {
    if (!names.includes(name)) throw new Error(`no figure ${name}: ${names.join(", ")}`);
  }
  const [cached, live] = [amount("cached", values.cached), amount("live", values.live)];
  const { json, strict, help, only } = values;
  return { json, strict, help, only, cached, live };
}

function amount(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`--${name} is a positive integer`);
}
