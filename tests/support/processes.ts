import { readdirSync, readFileSync } from "node:fs";
import { releaseAtEnd } from "./cleanup.ts";

interface Living {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
}

/** Processes whose command line holds the text. A zombie has none. Linux only. */
export const findProcesses = (text: string): readonly number[] =>
  living()
    .filter(({ commandLine }) => commandLine.includes(text))
    .map(({ pid }) => pid);

/** Children of a process whose command line holds the text. */
export const findChildren = (parent: number, text: string): readonly number[] =>
  living()
    .filter((one) => one.parent === parent && one.commandLine.includes(text))
    .map(({ pid }) => pid);

/** Ends what a failing test would leave running. */
export function endAtEnd(text: string): void {
  releaseAtEnd(() => {
    for (const pid of findProcesses(text)) kill(pid);
  });
}

/** kill -9; one that has ended meanwhile is as good. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function living(): readonly Living[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "latin1");
        // The name in parentheses may itself contain spaces and parentheses.
        const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
        const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ pid: Number(name), parent, commandLine }];
      } catch {
        return []; // gone meanwhile
      }
    });
}
