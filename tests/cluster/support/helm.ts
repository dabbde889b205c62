import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkout } from "../../support/build-paths.ts";
import { binary } from "./binaries.ts";

const run = promisify(execFile);

export const chart = join(checkout, "runner-cluster/helm");

/** What the chart demands; everything else has a default. */
export const requiredValues = {
  "edge.url": "https://edge.example.com",
  "pool.tokenSecret": "millrace-pool",
} as const;

export type Values = Readonly<Record<string, string | number | boolean | null>>;

/** Runs helm; rejects with its message when it fails. */
export function helm(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return run(binary("helm"), args, { env: { ...process.env, ...env }, maxBuffer: 64 << 20 });
}

/** `--set-json` knows numbers and lists from strings; a string is given as one. */
export const setFlags = (values: Values): readonly string[] =>
  Object.entries(values).flatMap(([key, value]) =>
    typeof value === "string" && !/^[[{]/.test(value)
      ? ["--set-string", `${key}=${value}`]
      : ["--set-json", `${key}=${value}`],
  );
