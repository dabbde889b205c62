import { describe, expect, it } from "vitest";
import { askJson, makeProject, makeRun, uniqueName } from "../../testing/api.ts";

const statusOf = async (path: string) => (await askJson(path)).status;

describe("bad input is refused and creates nothing", () => {
  const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  // Each is 21 digits when it is written again.
  const growing = Array.from({ length: 180_000 }, () => "1e20").join(",");
  it.each([
    ["no JSON", "{", "invalid_json"],
    ["nothing", "", "invalid_json"],
    ["null", "null", "invalid_argument"],
    ["an array", "[]", "invalid_argument"],
    ["a string", '"x"', "invalid_argument"],
    ["no prompt", "{}", "invalid_argument"],
    ["a number for a prompt", '{"prompt":7}', "invalid_argument"],
    ["a blank prompt", '{"prompt":" \\n "}', "invalid_argument"],
    ["a prompt too long", JSON.stringify({ prompt: "x".repeat(200_001) }), "invalid_argument"],
    ["a strange stream", '{"prompt":"x","stream":"yes"}', "invalid_argument"],
    ["an unknown provider", '{"prompt":"x","provider":"acme"}', "invalid_argument"],
    ["a provider of a prototype", '{"prompt":"x","provider":"constructor"}', "invalid_argument"],
    ["an unknown backend", '{"prompt":"x","workspaceBackend":"docker"}', "invalid_argument"],
    ["e2b", '{"prompt":"x","workspaceBackend":" E2B "}', "workspace_unavailable"],
    ["input too deep", `{"prompt":"x","input":${nested}}`, "invalid_argument"],
    ["a number that is none", '{"prompt":"x","input":[{"n":-1e999}]}', "invalid_argument"],
    ["input that grows", `{"prompt":"x","input":[${growing}]}`, "invalid_argument"],
  ])("%s", async (_, body, code) => {
    const project = await makeProject();
    const answer = await askJson(`${project.path}/runs`, {
      body,
      headers: { "idempotency-key": uniqueName("key") },
    });
    expect(answer).toMatchObject({ status: 400, body: { ok: false, code, error: { code } } });
    expect((await askJson(`${project.path}/runs`)).body.meta.total).toBe(0);
  });

  it.each([undefined, "", "   ", "k".repeat(201)])("the key %j", async (key) => {
    const project = await makeProject();
    const answer = await askJson(`${project.path}/runs`, {
      json: { prompt: "x" },
      headers: key === undefined ? {} : { "idempotency-key": key },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    expect(answer.body.message).toContain("Idempotency-Key");
  });

  it("a malformed cursor, before the run is created", async () => {
    const project = await makeProject();
    const answer = await askJson(`${project.path}/runs`, {
      json: { prompt: "x", stream: true },
      headers: { "idempotency-key": uniqueName("key"), "last-event-id": "abc" },
    });
    expect(answer.status).toBe(400);
    expect((await askJson(`${project.path}/runs`)).body.meta.total).toBe(0);
  });

  it("a body over the limit, with and without a length", async () => {
    const project = await makeProject();
    const headers = { "idempotency-key": uniqueName("key") };
    const body = JSON.stringify({ prompt: "x", input: "y".repeat(1_000_000) });
    const whole = await askJson(`${project.path}/runs`, { body, headers });
    expect(whole).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
    const { readable, writable } = new TransformStream();
    const written = new Response(body).body?.pipeTo(writable).catch(() => undefined);
    const chunked = await askJson(`${project.path}/runs`, { body: readable, headers });
    expect(chunked).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
    await written;
  });
});

describe("ids", () => {
  it("that name nothing are not found, and never a crash", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const other = await makeProject();
    const runId: string = body.data.id;
    for (const path of [
      `${project.path}/runs/${crypto.randomUUID()}`,
      `${project.path}/runs/not-an-id`,
      `${project.path}/runs/%00`,
      `${project.path}/runs/%F0%9F%98%80`,
      `${other.path}/runs/${runId}`,
      `/v1/projects/${uniqueName("absent")}/runs/${runId}`,
    ]) {
      for (const tail of ["", "/messages", "/stream", "/download.zip"]) {
        expect(await statusOf(path + tail), path + tail).toBe(404);
      }
      const cancelled = await askJson(`${path}/cancel`, { method: "POST" });
      expect(cancelled.status, path).toBe(404);
    }
    const untouched = await askJson(`${project.path}/runs/${runId}`);
    expect(untouched.body.data.status).toBe("queued");
  });

  it.each(["-x", "a b", "%zz", "é", "a".repeat(129), "a".repeat(300)])(
    "a project called %j is refused",
    async (id) => {
      const path = `/v1/projects/${encodeURIComponent(id)}`;
      expect(await askJson(path)).toMatchObject({
        status: 400,
        body: { code: "invalid_argument" },
      });
      const run = await makeRun({ path });
      expect(run).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    },
  );

  it("may be written in capitals", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${String(body.data.id).toUpperCase()}`;
    expect(await askJson(path)).toMatchObject({
      status: 200,
      body: { data: { id: body.data.id } },
    });
  });

  it("of a project may be `runs`", async () => {
    const path = `/v1/projects/runs`;
    await askJson("/v1/projects", { json: { id: "runs" } });
    expect(await makeRun({ path })).toMatchObject({ status: 200 });
    expect(await askJson(`${path}/runs`)).toMatchObject({ status: 200 });
  });
});

describe("half a character", () => {
  it("becomes the same replacement for every reader", async () => {
    const name = "a\ud800b";
    const created = await askJson("/v1/projects", { body: `{"name":${JSON.stringify(name)}}` });
    const path = `/v1/projects/${created.body.data.id}`;
    expect((await askJson(path)).body.data.name).toBe(created.body.data.name);
    const { body } = await makeRun({ path }, { prompt: "\udc00 x" });
    const run = await askJson(`${path}/runs/${body.data.id}`);
    const messages = await askJson(`${path}/runs/${body.data.id}/messages`);
    expect(run.body.data.prompt).toBe("\ufffd x");
    expect(messages.body.data[0].content).toBe("\ufffd x");
  });
});
