/** `npm run torture`: the storm of tests/torture/torture.test.ts with options, and what the check says without a mechanism. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { checkout } from "../support/build-paths.ts";
import { mechanisms } from "./mechanisms.ts";
import { help, OptionsRefused, readOptions, type Options } from "./options.ts";

const Report = z.object({
  violations: z.array(z.object({ promise: z.string(), evidence: z.string() })),
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    print(help);
    return 0;
  }
  print(`seed ${options.seed}, ${options.seconds} s of faults`);
  if (options.removed.length === 0) return (await storm(options, undefined)).exitCode;
  const outcomes: boolean[] = [];
  for (const name of options.removed) outcomes.push(await isCaught(options, name));
  return outcomes.includes(false) ? 1 : 0;
}

/** Does the check see that the mechanism is gone? */
async function isCaught(options: Options, name: string): Promise<boolean> {
  const { broken } = await storm(options, name);
  const expected = mechanisms[name]?.breaks ?? [];
  const isSeen = expected.some((promise) => broken.has(promise));
  const found = [...broken].map(([promise, count]) => `${promise} ${count}x`).join(", ");
  print(
    `without ${name}: ${found === "" ? "nothing seen" : found}${isSeen ? "" : " (NOT CAUGHT)"}`,
  );
  return isSeen;
}

interface Outcome {
  readonly exitCode: number;
  /** How often each promise was broken. */
  readonly broken: ReadonlyMap<string, number>;
}

async function storm({ seed, seconds }: Options, removed: string | undefined): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-torture-"));
  const report = join(directory, "report.json");
  const vitest = join(checkout, "node_modules/vitest/vitest.mjs");
  const file = "tests/torture/torture.test.ts";
  const child = spawn(process.execPath, [vitest, "run", "--project", "system", file], {
    cwd: checkout,
    env: {
      ...process.env,
      TORTURE_SEED: String(seed),
      TORTURE_SECONDS: String(seconds),
      TORTURE_REPORT: report,
      ...(removed === undefined ? {} : { TORTURE_REMOVED: removed }),
    },
    // A broken bundle is meant to fail: what the test says of it would only hide the outcome.
    stdio: removed === undefined ? "inherit" : "ignore",
  });
  const [code] = await once(child, "exit");
  const text = await readFile(report, "utf8").catch(() => '{"violations":[]}');
  await rm(directory, { recursive: true, force: true });
  const broken = new Map<string, number>();
  for (const { promise } of Report.parse(JSON.parse(text)).violations) {
    broken.set(promise, (broken.get(promise) ?? 0) + 1);
  }
  return { exitCode: typeof code === "number" ? code : 1, broken };
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof OptionsRefused)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
