import { env } from "cloudflare:workers";
import { encodeRow, RunSnapshot } from "@millrace/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packRows, pageOf, type LogRow } from "../log/log-rows.ts";
import { ArchivedLog, rowsUpTo } from "./archived-log.ts";
import { logPrefix, type LogManifest } from "./log-manifest.ts";
import { storeLog, sweepLog } from "./store-log.ts";

/** Rows as an object would read them. */
class Rows {
  readonly all: readonly LogRow[];

  constructor(all: readonly LogRow[]) {
    this.all = all;
  }

  *rowsFrom(seq: number): Generator<LogRow> {
    yield* this.all.filter(({ first, n }) => first + n > seq);
  }

  get tail() {
    const last = this.all.at(-1);
    return last ? { seq: last.first + last.n - 1, at: last.at } : { seq: 0, at: 0 };
  }
}

/** One row per list of texts. */
function rowsOf(flushes: readonly (readonly string[])[]): Rows {
  const rows: LogRow[] = [];
  for (const texts of flushes) {
    const lines = texts.map((text) => `text.delta\t${JSON.stringify({ messageId: "m", text })}\n`);
    const last = rows.at(-1);
    rows.push(...packRows(lines, { first: last ? last.first + last.n : 1, at: 1 + rows.length }));
  }
  return new Rows(rows);
}

function newRun() {
  const prefix = logPrefix({ orgId: `org-${crypto.randomUUID()}`, runId: crypto.randomUUID() });
  return { bucket: env.ARCHIVES, prefix };
}

async function keysOf({ prefix }: { readonly prefix: string }): Promise<readonly string[]> {
  const { objects } = await env.ARCHIVES.list({ prefix });
  return objects.map(({ key }) => key.slice(prefix.length));
}

const namesOf = ({ parts, snapshotSha256 }: LogManifest) =>
  [...parts.map(({ sha256 }) => sha256), snapshotSha256].toSorted();

/** 11 MB with rows of every size, so that there are several objects of many blocks. */
const long = rowsOf(
  Array.from({ length: 240 }, (_, n) =>
    Array.from({ length: 1 + (n % 7) }, (__, m) => `é${"x".repeat((n * 97 + m * 13) % 28_000)}`),
  ),
);

describe("an archived log", () => {
  it("gives the rows that the object would give, at any cursor", async () => {
    const run = newRun();
    const manifest = await storeLog(run, long, long.tail);
    expect(manifest.parts.length).toBeGreaterThan(1);
    expect(await keysOf(run)).toEqual(namesOf(manifest));
    for (const { size } of manifest.parts) expect(size).toBeLessThanOrEqual(8 * 1024 * 1024);
    const log = new ArchivedLog(env.ARCHIVES, run.prefix, manifest);
    const cursor = fc.integer({ min: 0, max: long.tail.seq - 1 });
    await fc.assert(
      fc.asyncProperty(cursor, async (after) => {
        const read = await log.rowsAfter(after);
        const { text } = pageOf(long, after + 1, read?.text.length ?? 0);
        expect(read?.text === text).toBe(true);
        const chars = 64 * 1024;
        const page = pageOf(long, after + 1, chars).text;
        expect(rowsUpTo(text, chars) === page.slice(0, text.length)).toBe(true);
      }),
      { numRuns: 40, seed: 20_261_121 },
    );
    let whole = "";
    for (let after = 0; after < long.tail.seq;) {
      const rows = await log.rowsAfter(after);
      whole += rows?.text ?? "";
      after = rows?.last ?? Number.POSITIVE_INFINITY;
    }
    expect(whole === long.all.map((row) => encodeRow(row)).join("")).toBe(true);
    expect(await log.rowsAfter(long.tail.seq)).toBeNull();
    const snapshot = RunSnapshot.parse(JSON.parse((await log.snapshot()) ?? ""));
    expect(snapshot.at).toBe(long.tail.seq);
  });

  it("is the same after an archiving that died at any write, and leaves nothing else", async () => {
    const run = newRun();
    const writes = (await storeLog(newRun(), long, long.tail)).parts.length + 1;
    for (let dies = 1; dies <= writes; dies += 1) {
      await expect(storeLog(failing(run, "put", dies), long, long.tail)).rejects.toThrow("away");
      await expect(storeLog(failing(run, "get", dies), long, long.tail)).rejects.toThrow("away");
    }
    // As a version that cut its objects elsewhere would have left it.
    await env.ARCHIVES.put(`${run.prefix}orphan`, "x");
    const neighbour = run.prefix.replace("/log/", "/events/");
    await env.ARCHIVES.put(`${neighbour}kept`, "x");
    const manifest = await storeLog(run, long, long.tail);
    await sweepLog(run, manifest);
    expect(await keysOf(run)).toEqual(namesOf(manifest));
    expect(await env.ARCHIVES.head(`${neighbour}kept`)).not.toBeNull();
  }, 90_000);

  it("is not made of what R2 does not give back, nor of a log with a gap", async () => {
    const run = newRun();
    const bucket = {
      put: run.bucket.put.bind(run.bucket),
      get: async () => ({ arrayBuffer: async () => new ArrayBuffer(3) }),
    } as unknown as R2Bucket;
    await expect(storeLog({ ...run, bucket }, long, long.tail)).rejects.toThrow("not what was");
    const gapped = new Rows(long.all.filter((_, index) => index !== 100));
    await expect(storeLog(run, gapped, gapped.tail)).rejects.toThrow("gap");
    const headless = new Rows(long.all.slice(1));
    await expect(storeLog(run, headless, headless.tail)).rejects.toThrow("gap");
  });
});

/** R2, away from the nth call of a kind on. */
function failing(run: ReturnType<typeof newRun>, method: "put" | "get", nth: number) {
  let calls = 0;
  const count = (of: string): void => {
    if (of === method && (calls += 1) >= nth) throw new Error("R2 is away");
  };
  const bucket = {
    put: async (...given: Parameters<R2Bucket["put"]>) => {
      count("put");
      return run.bucket.put(...given);
    },
    get: async (key: string) => {
      count("get");
      return run.bucket.get(key);
    },
  } as unknown as R2Bucket;
  return { ...run, bucket };
}
