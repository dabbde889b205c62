import { parseArgs } from "node:util";
import { mechanisms } from "./mechanisms.ts";

export const help = `npm run torture [-- options]

Runs a real edge, two runners and many clients under faults, and checks what all of them saw against the promises.

  --seed <n>          what happens is drawn from it; 1 when left out
  --seconds <n>       how long the faults go on; 600 when left out. Healing and checking come on top
  --removed <name>    takes a mechanism out of the bundle: the check must fail then. "all": each, one after the other
  --help

Mechanisms: ${Object.keys(mechanisms).join(", ")}
`;

export interface Options {
  readonly seed: number;
  readonly seconds: number;
  readonly removed: readonly string[];
}

export class OptionsRefused extends Error {
  override readonly name = "OptionsRefused";
}

/** Null: help was asked for. */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      seconds: { type: "string" },
      removed: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { removed } = values;
  const defaultSeconds = removed === undefined ? "600" : "60";
  return {
    seed: readNumber("seed", values.seed),
    seconds: readNumber("seconds", values.seconds ?? defaultSeconds),
    removed: removed === undefined ? [] : readRemoved(removed),
  };
}

function readNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new OptionsRefused(`--${name} is a whole number: ${text}`);
  return Number(text);
}

function readRemoved(name: string): readonly string[] {
  const names = Object.keys(mechanisms);
  if (name === "all") return names;
  if (!names.includes(name))
    throw new OptionsRefused(`no mechanism ${name}: all, ${names.join(", ")}`);
  return [name];
}
