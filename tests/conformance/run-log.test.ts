import { setTimeout as delay } from "node:timers/promises";
import { stream } from "@durable-streams/client";
import { beforeAll, describe, expect, it } from "vitest";
import { addOrg } from "../support/add-org.ts";
import { command, startFaultBench, type FaultBench } from "../support/fault-bench.ts";

interface LogEvent {
  readonly seq: number;
  readonly ts: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

let bench: FaultBench;

beforeAll(async () => {
  bench = await startFaultBench({ vars: { LONG_POLL_MS: "2000", SSE_LIFETIME_MS: "1000" } });
  await bench.startRunner();
});

const pathOf = (runId: string): string => `/v1/streams/runs/${runId}`;

/** One response of server-sent events, until the edge ends it. */
async function followToEnd(path: string, offset: string) {
  const { url, apiKey } = bench.platform;
  const response = await fetch(`${url}${path}?offset=${offset}&live=sse`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const text = await response.text();
  const valuesOf = (event: string): string[] =>
    [...text.matchAll(new RegExp(`^event: ${event}\ndata:(.*)$`, "gm"))].map(
      ([, value]) => value ?? "",
    );
  const control = JSON.parse(valuesOf("control").at(-1) ?? "{}") as { streamNextOffset: string };
  return { data: valuesOf("data"), next: control.streamNextOffset };
}

/** Everything until the stream is closed, by the protocol's own client. */
async function readAll(runId: string, live: "long-poll" | "sse"): Promise<readonly LogEvent[]> {
  const { platform } = bench;
  const response = await stream<LogEvent>({
    url: `${platform.url}${pathOf(runId)}`,
    headers: { authorization: `Bearer ${platform.apiKey}` },
    offset: "-1",
    live,
  });
  const events: LogEvent[] = [];
  for await (const event of response.jsonStream()) events.push(event);
  return events;
}

describe("a run's log as a Durable Stream", () => {
  it("is followed to its end by the protocol's client, and reads the same afterwards", async () => {
    const run = await bench.begin("followed", {
      build: [command("seq 20 | while read n; do echo $n; sleep 0.05; done"), { text: "Done." }],
    });
    const [bySse, byPoll] = await Promise.all([
      readAll(run.runId, "sse"),
      readAll(run.runId, "long-poll"),
    ]);
    expect(byPoll).toEqual(bySse);
    expect(bySse.map(({ seq }) => seq)).toEqual(bySse.map((_, index) => index + 1));
    expect(bySse.at(-1)?.type).toBe("run.succeeded");

    const frames = await run.stream.toEnd();
    expect(frames.map(({ id, ts }) => [id, ts])).toEqual(bySse.map(({ seq, ts }) => [seq, ts]));

    const whole = await bench.api.request("GET", pathOf(run.runId));
    expect(whole.body).toEqual(bySse);
    expect(whole.headers.get("stream-closed")).toBe("true");
    const etag = whole.headers.get("etag") ?? "";
    const headers = { "if-none-match": etag };
    expect((await bench.api.request("GET", pathOf(run.runId), { headers })).status).toBe(304);

    const head = await bench.api.request("HEAD", pathOf(run.runId));
    expect(head.headers.get("stream-closed")).toBe("true");
    const end = head.headers.get("stream-next-offset") ?? "";
    for (const query of [`offset=${end}`, `offset=${end}&live=long-poll`]) {
      const rest = await bench.api.request("GET", `${pathOf(run.runId)}?${query}`);
      expect(rest.headers.get("stream-closed")).toBe("true");
      expect(rest.headers.get("stream-next-offset")).toBe(end);
    }
  });

  it("is written by the run alone, and read by its org alone", async () => {
    const run = await bench.begin("read-only", { build: [{ text: "Done." }] });
    await run.stream.toEnd();
    for (const method of ["PUT", "POST", "DELETE", "PATCH"]) {
      const refused = await bench.api.request(method, pathOf(run.runId), { body: [] });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    }
    const stranger = await addOrg(bench.platform, "stranger");
    expect((await stranger.request("GET", pathOf(run.runId))).status).toBe(404);
    expect((await stranger.request("HEAD", pathOf(run.runId))).status).toBe(404);
    const live = `${pathOf(run.runId)}?offset=-1&live=sse`;
    expect((await stranger.request("GET", live)).status).toBe(404);
    const unknown = pathOf("01a1fc19-5b84-70d6-84cb-46dec109c0e5");
    expect((await bench.api.request("GET", unknown)).status).toBe(404);
    expect((await bench.api.request("GET", pathOf("no-id"))).status).toBe(404);
  });
});

describe("a stream of one's own", () => {
  it("belongs to its org: the same name is another stream to another", async () => {
    const stranger = await addOrg(bench.platform, "other-stranger");
    const path = "/v1/stream/notes/of the day";
    const body = [{ ours: true }];
    expect((await bench.api.request("PUT", encodeURI(path), { body })).status).toBe(201);
    expect((await stranger.request("GET", encodeURI(path))).status).toBe(404);
    expect((await stranger.request("PUT", encodeURI(path), { body: [] })).status).toBe(201);
    expect((await stranger.request("GET", encodeURI(path))).body).toEqual([]);
    expect((await bench.api.request("GET", encodeURI(path))).body).toEqual(body);
  });

  it("is followed in one response after the other, and each goes on where the last one ended", async () => {
    const path = "/v1/stream/in-turns";
    expect((await bench.api.request("PUT", path, { body: [{ n: 1 }] })).status).toBe(201);
    const first = await followToEnd(path, "-1");
    expect(first.data).toEqual(['[{"n":1}]']);
    expect((await bench.api.request("POST", path, { body: [{ n: 2 }] })).status).toBe(204);
    const second = await followToEnd(path, first.next);
    expect(second.data).toEqual(['[{"n":2}]']);
    expect((await followToEnd(path, second.next)).data).toEqual([]);
  });

  it("ends no response inside of a character", async () => {
    const { url, apiKey } = bench.platform;
    const path = "/v1/stream/half";
    const send = (method: string, body: Uint8Array<ArrayBuffer>) =>
      fetch(`${url}${path}`, {
        method,
        body,
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "text/plain" },
      });
    const bytes = new TextEncoder().encode("€");
    expect((await send("PUT", bytes.slice(0, 1))).status).toBe(201);
    const reading = followToEnd(path, "-1");
    // Longer than a response lasts; how much longer does not matter.
    await delay(2_000);
    expect((await send("POST", bytes.slice(1))).status).toBe(204);
    expect((await reading).data.join("")).toBe("€");
  });

  it("says which header or parameter it does not understand", async () => {
    const path = "/v1/stream/bad-input";
    const put = (headers: Record<string, string>) =>
      bench.api.request("PUT", path, { body: [], headers });
    for (const [field, value] of [
      ["stream-ttl", "+5"],
      ["stream-expires-at", "tomorrow"],
      ["stream-forked-from", "/elsewhere"],
    ] as const) {
      const refused = await put({ [field]: value });
      expect(refused.status).toBe(400);
      expect(refused.body).toMatchObject({ error: { details: { field } } });
    }
    expect((await put({})).status).toBe(201);
    const at = await bench.api.request("GET", `${path}?offset=12`);
    expect(at.body).toMatchObject({
      code: "invalid_argument",
      error: { details: { field: "offset" } },
    });
    expect((await bench.api.request("GET", `${path}?offset=-1&live=maybe`)).status).toBe(400);
    expect((await bench.api.request("PUT", "/v1/stream/__ds/x", { body: [] })).status).toBe(404);
    const long = await bench.api.request("PUT", `/v1/stream/${"x".repeat(501)}`, { body: [] });
    expect(long.status).toBe(400);
    const large = { body: { text: "x".repeat(1_100_000) } };
    expect((await bench.api.request("POST", path, large)).status).toBe(413);
  });
});
