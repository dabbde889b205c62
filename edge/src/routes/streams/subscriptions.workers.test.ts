import type { JsonValue } from "@millrace/contracts";
import { describe, expect, it, vi } from "vitest";
import { ask, uniqueName, type Ask } from "../../testing/api.ts";

const prefix = "/v1/stream/__ds/subscriptions";
const pathOf = (id: string) => `${prefix}/${id}`;

const pullWish = (change: Readonly<Record<string, JsonValue>> = {}) => ({
  type: "pull-wake",
  streams: ["a"],
  wake_stream: "wakes",
  ...change,
});

/** Answers here are in the protocol's words. */
async function askWire(path: string, request: Ask = {}) {
  const response = await ask(path, request);
  const text = await response.text();
  // oxlint-disable-next-line typescript/no-explicit-any -- a test says what it expects to find
  const body: any = text === "" ? null : JSON.parse(text);
  return { status: response.status, body };
}

const put = (id: string, json: JsonValue) => askWire(pathOf(id), { method: "PUT", json });

async function status(path: string, request: Ask): Promise<number> {
  const response = await ask(path, request);
  await response.body?.cancel();
  return response.status;
}

async function makeStream(name: string, messages: JsonValue): Promise<void> {
  expect(await status(`/v1/stream/${name}`, jsonRequest("PUT", messages))).toBe(201);
}

const jsonRequest = (method: string, json: JsonValue): Ask => ({
  method,
  json,
  headers: { "content-type": "application/json" },
});

/** A worker's claim of one stream with one message, made for this. */
async function claimed() {
  const [id, name, wakes] = [uniqueName("sub"), uniqueName("stream"), uniqueName("wakes")];
  await makeStream(wakes, []);
  await put(id, pullWish({ streams: [name], wake_stream: wakes }));
  await makeStream(name, [1]);
  const claim = await vi.waitFor(async () => {
    const answer = await askWire(`${pathOf(id)}/claim`, { json: { worker: "w1" } });
    expect(answer.status).toBe(200);
    return answer.body;
  }, 10_000);
  const act = (what: string, json: JsonValue, token: string = claim.token) =>
    askWire(`${pathOf(id)}/${what}`, {
      json,
      key: null,
      headers: { authorization: `Bearer ${token}` },
    });
  const proof = { wake_id: claim.wake_id, generation: claim.generation };
  const offset: string = claim.streams[0].tail_offset;
  return { id, name, claim, act, proof, offset };
}

describe("a wish is refused", () => {
  it.for([
    ["without a type", { streams: ["a"] }],
    ["that follows nothing", { type: "pull-wake", wake_stream: "w" }],
    ["without a wake stream", { type: "pull-wake", streams: ["a"] }],
    ["without a URL", { type: "webhook", streams: ["a"] }],
    ["with too short a lease", pullWish({ lease_ttl_ms: 999 })],
    ["with too long a lease", pullWish({ lease_ttl_ms: 600_001 })],
    ["that follows what is no stream", pullWish({ streams: ["__ds/subscriptions/x"] })],
    ["that follows a stream without a name", pullWish({ streams: ["//"] })],
    ["that follows its own wake stream", pullWish({ streams: ["a", "/wakes"] })],
  ] satisfies [string, JsonValue][])("%s", async ([, wish]) => {
    const answer = await put(uniqueName("sub"), wish);
    expect([answer.status, answer.body.error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("that is no JSON", async () => {
    const answer = await askWire(pathOf("x"), { method: "PUT", body: "{" });
    expect(answer.body.error.code).toBe("INVALID_REQUEST");
  });

  it.for(["http://example.com/", "https://10.0.0.1/", "https://localhost/", "nonsense"])(
    "with the URL %s",
    async (url) => {
      const answer = await put(uniqueName("sub"), {
        type: "webhook",
        streams: ["a"],
        webhook: { url },
      });
      expect([answer.status, answer.body.error.code]).toEqual([400, "WEBHOOK_URL_REJECTED"]);
    },
  );
});

describe("a subscription", () => {
  it("is made once, found, and gone when it is deleted", async () => {
    const id = uniqueName("sub");
    const wish = pullWish({ pattern: "/logs/**/", description: "d" });
    const made = await put(id, wish);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      id,
      subscription_id: id,
      type: "pull-wake",
      pattern: "logs/**",
      wake_stream: "wakes",
      lease_ttl_ms: 30_000,
      description: "d",
      status: "active",
      streams: [{ path: "a", link_type: "explicit" }],
    });
    expect(await put(id, wish)).toMatchObject({ status: 200, body: made.body });
    const other = await put(id, pullWish());
    expect([other.status, other.body.error.code]).toEqual([409, "SUBSCRIPTION_ALREADY_EXISTS"]);
    expect((await askWire(pathOf(id))).body).toEqual(made.body);
    for (const expected of [204, 204]) {
      expect(await status(pathOf(id), { method: "DELETE" })).toBe(expected);
    }
    for (const path of ["", "/claim", "/streams"]) {
      const json = { worker: "w", streams: ["a"] };
      const request = path === "" ? {} : { json };
      const answer = await askWire(`${pathOf(id)}${path}`, request);
      expect([answer.status, answer.body.error.code]).toEqual([404, "SUBSCRIPTION_NOT_FOUND"]);
    }
  });

  it("takes names with slashes and line breaks, and lets them go", async () => {
    const id = uniqueName("sub");
    await put(id, pullWish());
    expect(await status(`${pathOf(id)}/streams`, { json: { streams: ["b/c", "d\re"] } })).toBe(204);
    const paths = async () =>
      (await askWire(pathOf(id))).body.streams.map(({ path }: { path: string }) => path);
    expect(await paths()).toEqual(["a", "b/c", "d\re"]);
    expect(await status(`${pathOf(id)}/streams/b%2Fc`, { method: "DELETE" })).toBe(204);
    expect(await status(`${pathOf(id)}/streams/d%0De`, { method: "DELETE" })).toBe(204);
    expect(await status(`${pathOf(id)}/streams/a`, { method: "DELETE" })).toBe(204);
    expect(await paths()).toEqual([]);
  });

  it("wants a key, and no other path under __ds is one", async () => {
    for (const path of [pathOf("x"), "/v1/stream/__ds/jwks.json"]) {
      expect(await status(path, { key: null })).toBe(401);
    }
    expect(await status("/v1/stream/__ds/other", {})).toBe(404);
    expect(await status(pathOf("x".repeat(201)), {})).toBe(400);
  });
});

describe("a wake's token", () => {
  it("acknowledges without a key, once", async () => {
    const { name, act, proof, offset } = await claimed();
    const done = { ...proof, acks: [{ stream: name, offset }], done: true };
    expect(await act("ack", done)).toMatchObject({
      status: 200,
      body: { ok: true, next_wake: false },
    });
    const again = await act("ack", done);
    expect([again.status, again.body.error.code]).toEqual([409, "FENCED"]);
  });

  it("releases, and the work is there for another", async () => {
    const { id, act, proof } = await claimed();
    expect((await act("release", proof)).status).toBe(204);
    const next = await askWire(`${pathOf(id)}/claim`, { json: { worker: "w2" } });
    expect(next.body.generation).toBe(proof.generation + 1);
  });

  it.for(["-1", "now", "nonsense", "0000000000000000_0000000000000002"])(
    "does not acknowledge the offset %s",
    async (offset) => {
      const { name, act, proof } = await claimed();
      const answer = await act("ack", { ...proof, acks: [{ path: name, offset }] });
      expect([answer.status, answer.body.error.code]).toEqual([409, "INVALID_OFFSET"]);
    },
  );

  it("opens no other door, and an API key not this one", async () => {
    const { id, name, claim, act, proof } = await claimed();
    const authorization = `Bearer ${claim.token}`;
    for (const path of [`/v1/stream/${name}`, pathOf(id), "/v1/projects"]) {
      expect(await status(path, { key: null, headers: { authorization } })).toBe(401);
    }
    for (const token of ["test-api-key", "a.b.c"]) {
      const answer = await act("ack", proof, token);
      expect([answer.status, answer.body.error.code]).toEqual([401, "TOKEN_INVALID"]);
    }
    const answer = await act("callback", proof);
    expect([answer.status, answer.body.error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("is shown with POST, and streams may have the names of its paths", async () => {
    const { id, claim } = await claimed();
    const authorization = `Bearer ${claim.token}`;
    const get = { key: null, headers: { authorization } };
    for (const path of ["ack", "callback", "release"]) {
      expect(await status(`${pathOf(id)}/${path}`, get)).toBe(405);
      expect(await status(`${pathOf(id)}/streams/${path}`, { method: "DELETE" })).toBe(204);
      expect(await status(`${pathOf(id)}/streams/${path}`, { ...get, method: "DELETE" })).toBe(401);
    }
  });

  it("of one subscription is none of another", async () => {
    const [one, other] = [await claimed(), await claimed()];
    const answer = await other.act("ack", other.proof, one.claim.token);
    expect([answer.status, answer.body.error.code]).toEqual([401, "TOKEN_INVALID"]);
  });
});
