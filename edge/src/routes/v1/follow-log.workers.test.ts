import { sessionPaths } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { ask, askJson, makeProject } from "../../testing/api.ts";
import { ScriptedLog } from "../../testing/scripted-log.ts";
import { makePool, makeSessionRun, ScriptedOperator } from "../../testing/scripted-operator.ts";

async function makeLog() {
  const pool = await makePool();
  const operator = await ScriptedOperator.join(pool);
  const { runId, projectId } = await makeSessionRun(pool);
  await operator.heard("session.start");
  const path = `/v1/projects/${projectId}/runs/${runId}/logs/1/runner`;
  return { pool, operator, runId, path: `${path}?follow=true`, plain: path };
}

/** What a stream has brought so far, comments left out. */
class Seen {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  text = "";

  constructor(response: Response) {
    if (!response.body) throw new Error("no body");
    this.#reader = response.body.getReader();
  }

  async until(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      this.text += this.#decoder.decode(value, { stream: true });
    }
    return this.text.replaceAll(/^:.*\n\n/gm, "");
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

const frame = (id: number, text: string) => `id: ${id}\nevent: log\ndata: ${text}\n\n`;
const end = "event: end\ndata:\n\n";

describe("a log that is followed", () => {
  it("comes line by line to all who read it, over one connection, to its end", async () => {
    const { pool, operator, runId, path } = await makeLog();
    const first = ask(path);
    expect(await operator.heard("log.follow")).toMatchObject({
      runId,
      attempt: 1,
      container: "runner",
    });
    const log = await ScriptedLog.open(pool, runId);
    expect(await log.next()).toEqual({ type: "from", after: null });
    log.say({ type: "opened" });
    log.lines([10, "one"], [11, 'tw"o\r']);
    expect(await log.next()).toEqual({ type: "taken", chars: 8 });
    const response = await first;
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const seen = new Seen(response);
    expect(await seen.until("id: 11\n")).toBe(frame(10, "one") + frame(11, 'tw"o\u240d'));
    const second = new Seen(await ask(path, { headers: { "last-event-id": "10" } }));
    log.lines([12, "three"]);
    log.say({ type: "end" });
    const rest = frame(11, 'tw"o\u240d') + frame(12, "three") + end;
    expect(await seen.until("event: end")).toBe(frame(10, "one") + rest);
    expect(await second.until("event: end")).toBe(rest);
    expect(await log.closed).toBe(1000);
  });

  it("goes on where it was when the operator is another one", async () => {
    const { pool, operator, runId, path } = await makeLog();
    const first = ask(path);
    await operator.heard("log.follow");
    const log = await ScriptedLog.open(pool, runId);
    log.say({ type: "opened" });
    log.lines([10, "one"]);
    const seen = new Seen(await first);
    await seen.until("id: 10\n");
    log.breakOff();
    await operator.heard("log.follow");
    const again = await ScriptedLog.open(pool, runId);
    expect(await again.next()).toEqual({ type: "from", after: 10 });
    again.say({ type: "opened" });
    again.lines([10, "one"], [11, "two"]);
    again.say({ type: "end" });
    expect(await seen.until("event: end")).toBe(frame(10, "one") + frame(11, "two") + end);
  });

  it("is not sent any more when nobody reads it, and begins after the line that a client has", async () => {
    const { pool, operator, runId, path } = await makeLog();
    const first = ask(`${path}&after=7`);
    await operator.heard("log.follow");
    const log = await ScriptedLog.open(pool, runId);
    expect(await log.next()).toEqual({ type: "from", after: 7 });
    log.say({ type: "opened" });
    log.lines([10, "one"]);
    const seen = new Seen(await first);
    await seen.until("id: 10\n");
    await seen.leave();
    // Only a write tells the runtime that a client has left.
    log.lines([11, "two"]);
    expect(await log.closed).toBe(1000);
  });

  it("says what is missing between two lines to who comes too late", async () => {
    const { pool, operator, runId, path } = await makeLog();
    const first = ask(path);
    await operator.heard("log.follow");
    const log = await ScriptedLog.open(pool, runId);
    log.say({ type: "opened" });
    const seen = new Seen(await first);
    const text = "x".repeat(60_000);
    for (let id = 1; id <= 40; id += 1) {
      log.lines([id, text]);
      await seen.until(`id: ${id}\n`);
    }
    const late = new Seen(await ask(path));
    expect(await late.until("id: 40\n")).toMatch(
      /^id: \d+\nevent: gap\ndata: \n\nid: \d+\nevent: log\n/,
    );
    await Promise.all([seen.leave(), late.leave()]);
  });
});

describe("a log that cannot be followed", () => {
  it("says whether its container or its operator is missing", async () => {
    const { pool, operator, runId, path } = await makeLog();
    const first = askJson(path);
    await operator.heard("log.follow");
    const log = await ScriptedLog.open(pool, runId);
    log.say({ type: "refused", message: "container runner is waiting to start" });
    const refused = await first;
    expect([refused.status, refused.body.code]).toEqual([409, "unavailable"]);
    expect(refused.body.error.message).toContain("waiting to start");
    expect(refused.headers.get("retry-after")).not.toBeNull();
    operator.close();
    await expect
      .poll(async () => (await askJson(path)).body.error.message, { timeout: 30_000 })
      .toContain("operator of its cluster is not connected");
  });

  it("is nobody else's, and nothing that is not there", async () => {
    const { pool, runId, path } = await makeLog();
    const other = await makeProject();
    expect((await ask(`${other.path}/runs/${runId}/logs/1/runner?follow=true`)).status).toBe(404);
    expect((await ask(path.replace("/1/", "/9/"))).status).toBe(404);
    expect((await ask(path.replace("true", "yes"))).status).toBe(400);
    const stranger = await makePool();
    const live = sessionPaths.liveLog(pool.pool, runId, 1, "runner");
    const headers = { upgrade: "websocket", authorization: `Bearer ${stranger.token}` };
    expect((await ask(live, { headers, key: null })).status).toBe(404);
    const theirs = sessionPaths.liveLog(stranger.pool, runId, 1, "runner");
    expect((await ask(theirs, { headers, key: null })).status).toBe(404);
  });

  it("is answered as it lies when it is kept already", async () => {
    const { pool, runId, path, plain } = await makeLog();
    const headers = { authorization: `Bearer ${pool.token}` };
    const kept = sessionPaths.log(pool.pool, runId, 1, "runner");
    await ask(kept, { method: "PUT", body: "all of it\n", key: null, headers });
    for (const one of [path, plain]) {
      const response = await ask(one);
      expect(response.headers.get("content-type")).toContain("text/plain");
      expect(await response.text()).toBe("all of it\n");
    }
  });
});
