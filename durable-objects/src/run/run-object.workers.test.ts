import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  attach,
  follow,
  makeSpec,
  readLog,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

const delta = (text: string) => ({ type: "text.delta", data: { messageId: "m", text } }) as const;

describe("a run", () => {
  it("goes from its claim to its end, and its log is read back as it was written", async () => {
    const spec = await releasedRun();
    const reader = await follow(spec);
    const runner = await attach(spec);
    const claimed = await runner.claim();
    expect(claimed).toMatchObject({ attempt: 1, producerSeq: 0, stepCount: 0, cancel: false });
    await runner.append(1, [delta("a"), delta("b")]);
    await runner.append(2, [delta("c")], { outcome: { kind: "succeeded", output: "abc" } });
    expect(await reader.ended()).toBe(1000);
    expect(reader.events.map(({ type }) => type)).toEqual([
      "run.queued",
      "run.started",
      "text.delta",
      "text.delta",
      "text.delta",
      "run.succeeded",
    ]);
    expect(await readLog(spec)).toEqual(reader.events);
    const answer = await rpcOf(spec).view();
    expect(answer).toMatchObject({ ok: true, view: { status: "succeeded", output: "abc" } });
  });

  it("is not there before it is initialised", async () => {
    const spec = makeSpec();
    const absent = { ok: false, code: "not_found" };
    expect(await rpcOf(spec).view()).toEqual(absent);
    expect(await rpcOf(spec).cancel("user")).toEqual(absent);
    const read = await runOf(spec).fetch("https://run/read?projectId=p&after=0");
    expect(read.status).toBe(404);
    const tables = await runInDurableObject(runOf(spec), (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'document'").toArray(),
    );
    expect(tables, "asking makes no storage").toEqual([]);
  });
});
