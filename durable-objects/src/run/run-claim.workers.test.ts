import type { Opening } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import {
  attach,
  makeSpec,
  openSocket,
  readSoFar,
  releasedRun,
  rpcOf,
  runOf,
} from "../testing/test-run.ts";

const delta = (text: string) => ({ type: "text.delta", data: { messageId: "m", text } }) as const;

/** What an engine would begin with; each is told from the others by its text. */
const openingOf = (text: string): Opening => ({
  events: [delta(text)],
  step: { n: 1, body: JSON.stringify(text) },
});

const textsOf = (events: readonly { readonly type: string; readonly data: unknown }[]) =>
  events.flatMap(({ type, data }) =>
    type === "text.delta" ? [(data as { readonly text: string }).text] : [],
  );

describe("a claim", () => {
  it("binds the attempt to one runner", async () => {
    const spec = await releasedRun();
    const first = await attach(spec);
    await first.claim();
    const second = await attach(spec);
    second.send({ type: "claim", runnerId: second.runnerId, attempt: 1 });
    expect(await second.next("refused")).toMatchObject({ code: "lease_held" });
    await first.append(1, [delta("still mine")]);
  });

  it("that is refused ends its socket, whatever was sent behind it", async () => {
    const spec = await releasedRun();
    const first = await attach(spec);
    await first.claim();
    const second = await attach(spec);
    second.send({ type: "claim", runnerId: second.runnerId, attempt: 1 });
    second.send({ type: "heartbeat", id: 1 });
    second.send({ type: "frame", producerSeq: 1, events: [delta("not mine")] });
    expect(await second.next("refused")).toMatchObject({ code: "lease_held" });
    await vi.waitFor(() => expect(second.closes).toEqual([1008]), 10_000);
    await first.append(1, [delta("still mine")]);
    const events = await readSoFar(spec, "text.delta");
    expect(JSON.stringify(events)).not.toContain("not mine");
  });

  it("is answered again to the same runner, on its new socket, and starts nothing twice", async () => {
    const spec = await releasedRun();
    const lost = await attach(spec);
    await lost.claim();
    await lost.append(1, [delta("a")]);
    const again = await attach(spec, 1, lost.runnerId);
    expect(await again.claim()).toMatchObject({ producerSeq: 1, tail: 3 });
    await again.append(2, [delta("b")], { outcome: { kind: "succeeded", output: "" } });
    const types = (await readSoFar(spec, "run.succeeded")).map(({ type }) => type);
    expect(types.filter((type) => type === "run.started")).toHaveLength(1);
  });

  it("is refused for another attempt than the token's, and for one that is not current", async () => {
    const spec = await releasedRun();
    const other = await attach(spec, 1);
    other.send({ type: "claim", runnerId: other.runnerId, attempt: 2 });
    expect(await other.next("refused")).toMatchObject({ code: "fenced" });
    const future = await attach(spec, 2);
    future.send({ type: "claim", runnerId: future.runnerId, attempt: 2 });
    expect(await future.next("refused")).toMatchObject({ code: "fenced" });
  });

  it("is refused when the run is over", async () => {
    const spec = await releasedRun();
    await rpcOf(spec).cancel("user");
    const late = await attach(spec);
    late.send({ type: "claim", runnerId: late.runnerId, attempt: 1 });
    expect(await late.next("refused")).toMatchObject({ code: "run_over" });
  });

  it("begins the run with what it brings, once", async () => {
    const spec = await releasedRun();
    const lost = await attach(spec);
    const { runnerId } = lost;
    lost.send({ type: "claim", runnerId, attempt: 1, opening: openingOf("first") });
    expect(await lost.next("claimed")).toMatchObject({ producerSeq: 0, tail: 3, stepCount: 1 });
    expect((await lost.next("steps")).steps).toEqual([openingOf("first").step]);
    const again = await attach(spec, 1, runnerId);
    again.send({ type: "claim", runnerId, attempt: 1, opening: openingOf("again") });
    expect(await again.next("claimed")).toMatchObject({ producerSeq: 0, tail: 3, stepCount: 1 });
    await again.append(1, [delta("second")], { outcome: { kind: "released", reason: "drain" } });
    const next = await attach(spec, 2);
    const { runnerId: other } = next;
    next.send({ type: "claim", runnerId: other, attempt: 2, opening: openingOf("next") });
    expect(await next.next("claimed")).toMatchObject({ stepCount: 1 });
    await next.append(1, [delta("third")], { outcome: { kind: "succeeded", output: "" } });
    const events = await readSoFar(spec, "run.succeeded");
    expect(textsOf(events)).toEqual(["first", "second", "third"]);
  });

  it("stands without a beginning that is too large for the log", async () => {
    const spec = await releasedRun();
    const runner = await attach(spec);
    const opening = openingOf("x".repeat(300 * 1024));
    const { step } = openingOf("small");
    const { runnerId } = runner;
    runner.send({ type: "claim", runnerId, attempt: 1, opening: { ...opening, step } });
    expect(await runner.next("claimed")).toMatchObject({ stepCount: 0 });
    await runner.append(1, [delta("small")]);
    expect(textsOf(await readSoFar(spec, "text.delta"))).toEqual(["small"]);
  });

  it("hands over conversation, workspace and steps in pages", async () => {
    const spec = makeSpec();
    const workspace = { runId: spec.runId, runIndex: 1, tree: "a".repeat(40), bundleKey: "k" };
    const conversation = [{ role: "user", content: "hi" } as const];
    await rpcOf(spec).init(spec);
    await rpcOf(spec).init(spec, { conversation, workspace });
    const first = await attach(spec);
    expect(await first.claim()).toMatchObject({ conversation, workspace });
    const body = JSON.stringify("x".repeat(200_000));
    for (const n of [1, 2, 3]) await first.append(n, [], { steps: [{ n, body }] });
    const again = await attach(spec, 1, first.runnerId);
    expect(await again.claim()).toMatchObject({ stepCount: 3 });
    const pages = [await again.next("steps"), await again.next("steps")];
    expect(pages.map(({ steps }) => steps.map(({ n }) => n))).toEqual([[1, 2], [3]]);
    expect(await rpcOf(spec).startBundle(1)).toBe("k");
    expect(await rpcOf(spec).startBundle(2)).toBeNull();
  });
});

describe("a socket", () => {
  it("is refused to another org, another project and an unknown run", async () => {
    const spec = await releasedRun();
    await expect(openSocket(spec, `/attach?org=x&run=${spec.runId}&attempt=1`)).rejects.toThrow(
      "404",
    );
    await expect(openSocket(spec, "/read?projectId=other&after=0")).rejects.toThrow("404");
    await expect(openSocket(makeSpec(), "/read?projectId=p&after=0")).rejects.toThrow("404");
    const plain = await runOf(spec).fetch("https://run/read?projectId=p&after=0");
    expect(plain.status).toBe(426);
  });

  it("may say nothing before its claim, and nothing that is not the protocol", async () => {
    const spec = await releasedRun();
    const eager = await attach(spec);
    eager.send({ type: "frame", producerSeq: 1, events: [] });
    expect(await eager.next("refused")).toMatchObject({ code: "not_claimed" });
    eager.socket.send(
      `{"type":"frame","producerSeq":1,"events":[{"type":"run.succeeded","data":{}}]}`,
    );
    expect(await eager.next("refused")).toMatchObject({ code: "invalid" });
  });
});
