import { expect, it } from "vitest";
import { startPlatform, type Platform } from "./support/platform.ts";

interface Problem {
  readonly code: string;
  readonly error: { readonly details: { readonly limit: string; readonly max: number } };
}

async function expectLimit(response: Response, limit: string, max: number): Promise<void> {
  expect(response.status).toBe(429);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  const problem = (await response.json()) as Problem;
  expect(problem).toMatchObject({ code: "rate_limited", error: { details: { limit, max } } });
}

function ask({ url, apiKey }: Platform, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("x-agent-api-key", apiKey);
  return fetch(`${url}${path}`, { ...init, headers });
}

const create = (platform: Platform, project: string, key: string): Promise<Response> =>
  ask(platform, `/v1/projects/${project}/runs`, {
    method: "POST",
    headers: { "idempotency-key": key, "content-type": "application/json" },
    body: JSON.stringify({ prompt: "wait" }),
  });

const idOf = async (response: Response): Promise<string> => {
  expect(response.status).toBe(200);
  return ((await response.json()) as { readonly data: { readonly id: string } }).data.id;
};

it("refuses runs over what a project or an org may have open, and takes them when others are over", async () => {
  const platform = await startPlatform({
    vars: { LIMIT_OPEN_RUNS_PER_PROJECT: "2", LIMIT_OPEN_RUNS_PER_ORG: "3" },
  });
  const [first, second] = [await platform.api.createProject(), await platform.api.createProject()];
  const a = await idOf(await create(platform, first, "a"));
  await idOf(await create(platform, first, "b"));
  await expectLimit(await create(platform, first, "c"), "open_runs_per_project", 2);
  // A repeat makes no run, so nothing stands in its way.
  expect(await idOf(await create(platform, first, "a"))).toBe(a);
  // What was refused, or known, does not count for the org for long.
  await expect.poll(async () => (await create(platform, second, "d")).status, slowly).toBe(200);
  await expect.poll(async () => (await create(platform, second, "e")).status, slowly).toBe(429);
  await expectLimit(await create(platform, second, "e"), "open_runs_per_org", 3);
  await platform.api.cancel(first, a);
  await expect.poll(async () => (await create(platform, second, "e")).status, slowly).toBe(200);
});

const slowly = { timeout: 20_000, interval: 200 } as const;

it("refuses readers over what a run or an org may have, and takes them when others leave", async () => {
  const platform = await startPlatform({
    vars: { LIMIT_READERS_PER_LOG: "2", LIMIT_READERS_PER_ORG: "3" },
  });
  const project = await platform.api.createProject();
  const a = await idOf(await create(platform, project, "a"));
  const b = await idOf(await create(platform, project, "b"));
  const open = (run: string) => ask(platform, `/v1/projects/${project}/runs/${run}/stream`);
  const readers = [await open(a), await open(a)];
  for (const reader of readers) expect(reader.status).toBe(200);
  await expectLimit(await open(a), "readers_per_log", 2);
  const third = await open(b);
  expect(third.status).toBe(200);
  await expectLimit(await open(b), "readers_per_org", 3);
  const live = (mode: string) => ask(platform, `/v1/streams/runs/${a}?offset=now&live=${mode}`);
  await expectLimit(await live("sse"), "readers_per_org", 3);
  await expectLimit(await live("long-poll"), "readers_per_org", 3);
  // A client that leaves is noticed at the next write to it.
  await readers[0]?.body?.cancel();
  await platform.api.cancel(project, a);
  const freed = async (): Promise<number> => {
    const response = await open(b);
    if (response.status !== 200) await response.body?.cancel();
    return response.status;
  };
  await expect.poll(freed, slowly).toBe(200);
  expect(await readers[1]?.text()).toContain('"status":"cancelled"');
  await third.body?.cancel();
});

it("refuses a key that asks too often, and says when to come back", async () => {
  const platform = await startPlatform({ vars: { LIMIT_REQUESTS_PER_SECOND: "10" } });
  const asked = await Promise.all(
    Array.from({ length: 100 }, () => ask(platform, "/v1/projects?limit=1")),
  );
  const refused = asked.filter(({ status }) => status === 429);
  expect(asked.filter(({ status }) => status === 200).length).toBe(asked.length - refused.length);
  expect(refused.length).toBeGreaterThan(0);
  const [one] = refused;
  expect(one?.headers.get("ratelimit-policy")).toBe('"requests_per_key";q=20;w=2');
  if (one) await expectLimit(one, "requests_per_key", 10);
  await expect.poll(async () => (await ask(platform, "/v1/projects")).status, slowly).toBe(200);
});

it("refuses what a stream has no room for, and nothing else", async () => {
  const max = 300_000;
  const platform = await startPlatform({ vars: { LIMIT_STREAM_BYTES: String(max) } });
  const path = "/v1/stream/filled";
  const headers = { "content-type": "application/json" };
  const send = (method: string, body?: unknown, more: Record<string, string> = {}) =>
    ask(platform, path, {
      method,
      headers: { ...headers, ...more },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  expect((await send("PUT", "x".repeat(max))).status).toBe(413);
  expect((await send("PUT", [])).status).toBe(201);
  const text = "x".repeat(100_000);
  const post = (seq: number, body: unknown) =>
    send("POST", body, {
      "producer-id": "p",
      "producer-epoch": "0",
      "producer-seq": String(seq),
    });
  expect((await post(0, { text })).status).toBe(200);
  const refused = await post(1, { text: text + text });
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({
    code: "payload_too_large",
    error: { details: { limit: "stream_bytes", max } },
  });
  // A repeat needs no room, and what was refused left no gap.
  expect((await post(0, { text })).status).toBe(204);
  expect((await post(1, {})).status).toBe(200);
  expect(await (await ask(platform, path)).json()).toEqual([{ text }, {}]);
  expect((await send("POST", undefined, { "stream-closed": "true" })).status).toBe(204);
  expect((await send("DELETE")).status).toBe(204);
  // The room is free again.
  expect((await send("PUT", { text: text + text })).status).toBe(201);
});
