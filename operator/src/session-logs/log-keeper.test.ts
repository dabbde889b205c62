import { HttpMethod } from "@kubernetes/client-node";
import { limits, makeLogger } from "@millrace/contracts";
import { describe, expect, it, onTestFinished } from "vitest";
import { makePod, makeSession, runId } from "../agentic-session/testing/make-facts.ts";
import type { EdgeAnswer } from "../edge/edge-answer.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { ApiRequest } from "../kube/kube-transport.ts";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { LogKeeper } from "./log-keeper.ts";

const session = makeSession({ status: { runId, attempt: 1 } });
const runner = (state: object) => ({
  name: "runner",
  image: "",
  imageID: "",
  ready: true,
  restartCount: 0,
  state,
});
const living = makePod({ phase: "Running", containerStatuses: [runner({ running: {} })] });
const ended = makePod({
  phase: "Succeeded",
  containerStatuses: [runner({ terminated: { exitCode: 0 } })],
});
const away: EdgeAnswer<unknown> = { ok: false, code: "unreachable", message: "no answer" };
const taken: EdgeAnswer<unknown> = { ok: true, value: undefined };

type Log = (asked: ApiRequest) => AsyncIterable<string>;

/** A keeper, what it was given of logs by turns, and what came of it. */
class Keeping {
  readonly clock = new FakeClock();
  readonly kept: string[] = [];
  readonly events: string[] = [];
  readonly asked: ApiRequest[] = [];
  settledTimes = 0;
  answer = taken;
  secret: () => object | undefined = () => undefined;
  readonly keeper: LogKeeper;

  constructor(...logs: readonly Log[]) {
    const { clock } = this;
    this.keeper = new LogKeeper({
      clock,
      giveUpMs: 60_000,
      budgetBytes: 4 * limits.sessionLogMaxBytes,
      settings: { providerSecret: undefined },
      log: makeLogger({ secrets: [], write: () => undefined }),
      recorder: { record: (_, { note }) => this.events.push(note) },
      onSettled: () => (this.settledTimes += 1),
      edge: {
        keepLog: async (_, text) => {
          if (this.answer.ok) this.kept.push(Buffer.from(text).toString("utf8"));
          return this.answer;
        },
      },
    });
    const request = async (asked: ApiRequest) => {
      this.asked.push(asked);
      const log = logs[this.asked.length - 1] ?? logs.at(-1);
      const body = ReadableStream.from(encode(log?.(asked)));
      return { status: 200, bytes: () => body } as unknown as Awaited<
        ReturnType<KubeClient["request"]>
      >;
    };
    const over = new AbortController();
    onTestFinished(() => over.abort());
    const get = async () => this.secret() as never;
    this.keeper.lead({ api: { request, get }, signal: over.signal });
  }

  async keep(pod = ended, of = session) {
    await this.keeper.keep({ session: of, runId, attempt: 1, pod });
  }

  /** What is known of it, after so long. */
  async after(ms: number) {
    for (let turn = 0; turn < 20; turn += 1) await settle();
    await this.clock.advance(ms);
    return this.keeper.of(session, 1, undefined);
  }
}

async function* encode(log: AsyncIterable<string> | undefined): AsyncGenerator<Uint8Array> {
  for await (const piece of log ?? []) yield Buffer.from(piece, "utf8");
}

const says = (...pieces: readonly string[]): Log =>
  async function* log() {
    yield* pieces;
  };
const breaks = (error: Error, ...pieces: readonly string[]): Log =>
  async function* log() {
    yield* pieces;
    throw error;
  };

describe("the keeper of logs", () => {
  it("reads an ended container once, a living one to its end, and takes secrets out", async () => {
    const key = "sk-proj-abcDEF1234567890abcd";
    const keeping = new Keeping(says(`a ${key.slice(0, 9)}`, `${key.slice(9)} b\n`));
    await keeping.keep();
    await keeping.keep();
    expect(await keeping.after(0)).toEqual({ kind: "kept", containers: 1, bytes: 15 });
    expect(keeping.kept).toEqual(["a [redacted] b\n"]);
    expect(keeping.settledTimes).toBe(1);
    await keeping.keep({ ...living, metadata: { ...living.metadata, uid: "another" } });
    await keeping.after(0);
    expect(keeping.asked.map(({ method, query }) => [method, query?.["follow"]])).toEqual([
      [HttpMethod.GET, false],
      [HttpMethod.GET, true],
    ]);
  });

  it("reads again what a broken connection left half", async () => {
    const broken = new ApiError({ status: 0, reason: "unavailable", message: "reset" });
    const keeping = new Keeping(breaks(broken, "one\n"), says("one\n", "two\n"));
    await keeping.keep(living);
    expect(await keeping.after(1000)).toMatchObject({ kind: "kept" });
    expect(keeping.kept).toEqual(["one\ntwo\n"]);
  });

  it("keeps what it got of a log that is gone, and says what it got nothing of", async () => {
    const gone = new ApiError({ status: 404, reason: "not_found", message: "no such container" });
    const half = new Keeping(breaks(gone, "one\n"));
    await half.keep();
    expect(await half.after(0)).toMatchObject({ kind: "kept" });
    expect(half.kept).toEqual(["one\n"]);
    const none = new Keeping(breaks(gone));
    await none.keep();
    expect(await none.after(0)).toEqual({ kind: "lost", what: "runner: no such container" });
    expect(none.events).toEqual(["Logs of attempt 1 are not kept: runner: no such container"]);
  });

  it("waits for a platform that is away, and not for ever", async () => {
    const keeping = new Keeping(says("one\n"));
    keeping.answer = away;
    await keeping.keep();
    expect(await keeping.after(30_000)).toEqual({ kind: "pending" });
    keeping.answer = taken;
    expect(await keeping.after(20_000)).toMatchObject({ kind: "kept" });
    const lost = new Keeping(says("one\n"));
    lost.answer = away;
    await lost.keep();
    expect(await lost.after(90_000)).toMatchObject({ kind: "lost" });
    expect(lost.events).toHaveLength(1);
    expect(lost.settledTimes).toBe(1);
  });

  it("reads nothing before it knows what is secret, and keeps nothing of which it never does", async () => {
    const busy = new ApiError({ status: 503, reason: "unavailable", message: "busy" });
    const data = { token: Buffer.from("correct horse battery").toString("base64") };
    const keeping = new Keeping(says("say correct horse battery\n"));
    const answers = [busy, busy];
    keeping.secret = () => {
      const error = answers.pop();
      if (error) throw error;
      return { data };
    };
    await Promise.all([keeping.keep(), keeping.after(20_000)]);
    expect(await keeping.after(0)).toMatchObject({ kind: "kept" });
    expect(keeping.kept).toEqual(["say [redacted]\n"]);
    const lost = new Keeping(says("say correct horse battery\n"));
    lost.secret = () => {
      throw busy;
    };
    await Promise.all([lost.keep(), lost.after(60_000)]);
    expect(await lost.after(0)).toEqual({ kind: "lost", what: "busy" });
    expect([lost.asked, lost.kept]).toEqual([[], []]);
  });

  it("holds a bounded part of all logs while the platform is away", async () => {
    const line = `${"x".repeat(1023)}\n`;
    const keeping = new Keeping(async function* log() {
      for (let at = 0; at < 1024; at += 1) yield line;
    });
    keeping.answer = away;
    const uids = Array.from({ length: 12 }, (_, i) => `session-${i}`);
    for (const uid of uids) {
      await keeping.keep(ended, { ...session, metadata: { ...session.metadata, uid } });
      await keeping.after(0);
    }
    keeping.answer = taken;
    while (keeping.settledTimes < uids.length) await keeping.after(1000);
    const bytes = keeping.kept.reduce((sum, text) => sum + text.length, 0);
    expect(bytes).toBeLessThan(5 * limits.sessionLogMaxBytes);
    for (const text of keeping.kept) expect(text.endsWith(line)).toBe(true);
  });

  it("sends no more than the platform takes, of a log that is much larger", async () => {
    const keeping = new Keeping(async function* log() {
      for (let at = 0; at < 3000; at += 1) yield `${"x".repeat(1023)}\n`;
      yield "the end\n";
    });
    await keeping.keep();
    while ((await keeping.after(0))?.kind === "pending") await settle();
    const [text = ""] = keeping.kept;
    expect(text.length).toBeLessThanOrEqual(limits.sessionLogMaxBytes);
    expect(text.length).toBeGreaterThan(limits.sessionLogMaxBytes * 0.9);
    expect(text).toMatch(/^x+\n[^]*\n\[\d+ bytes are left out here\]\n[^]*\nthe end\n$/);
  });
});
