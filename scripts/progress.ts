import { performance } from "node:perf_hooks";

/** Runs one step, says that it runs, and how long it took. */
export async function step<T>(label: string, run: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  process.stdout.write(`  ${label} … `);
  try {
    const result = await run();
    process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    process.stdout.write("failed\n");
    throw error;
  }
}

/** The last lines of a log, indented, for an error message. */
export function tail(log: string, lines = 20): string {
  return log
    .trimEnd()
    .split("\n")
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join("\n");
}
