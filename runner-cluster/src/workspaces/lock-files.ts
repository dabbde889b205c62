import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ProcessIdentity } from "./process-groups.ts";

const Holder = z.object({
  runId: z.string(),
  attempt: z.int(),
  runnerId: z.string(),
  pid: z.int(),
  start: z.string(),
  place: z.string(),
  /** In the environment of every command of this holder. */
  marker: z.string(),
});
export type Holder = z.infer<typeof Holder>;

const Group = z.object({ group: z.int(), start: z.string() });
const Released = z.object({ released: z.literal(true) });

export interface LockFile {
  readonly n: number;
  /** Null: unreadable, so somebody is writing it right now, or a full disk cut it. */
  readonly holder: Holder | null;
  readonly groups: readonly ProcessIdentity[];
  readonly released: boolean;
}

/** One record of a lock file. */
export const line = (value: Holder | z.infer<typeof Group> | z.infer<typeof Released>): string =>
  `${JSON.stringify(value)}\n`;

export const lockPath = (folder: string, n: number): string => join(folder, `${n}.jsonl`);

/** Numbers of the lock files in a folder, highest first. */
export function numbersIn(folder: string): readonly number[] {
  return readdirSync(folder)
    .map((name) => /^(\d+)\.jsonl$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .toSorted((a, b) => b - a);
}

/** Highest first. */
export const readLocks = (folder: string): readonly LockFile[] =>
  numbersIn(folder).flatMap((n) => readLock(folder, n));

function readLock(folder: string, n: number): readonly LockFile[] {
  let text: string;
  try {
    text = readFileSync(lockPath(folder, n), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const [first, ...rest] = text.split("\n").map(parseLine);
  const holder = Holder.safeParse(first);
  const groups = rest.flatMap((value) => {
    const group = Group.safeParse(value);
    return group.success ? [{ pid: group.data.group, start: group.data.start }] : [];
  });
  const released = rest.some((value) => Released.safeParse(value).success);
  return [{ n, holder: holder.success ? holder.data : null, groups, released }];
}

/** A line that a killed writer cut is no line. */
function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
