import { v1 } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { ask, askJson, framesOf, makeProject, makeRun, uniqueName } from "../../testing/api.ts";
import { ScriptedRunner } from "../../testing/scripted-runner.ts";

const summaryOf = v1.envelope(v1.RunSummary);
const createdOf = v1.envelope(v1.RunCreated);

describe("creating a run", () => {
  it("answers where it stands", async () => {
    const project = await makeProject();
    const { status, body } = await makeRun(project);
    expect(status).toBe(200);
    expect(createdOf.parse(body).data).toMatchObject({
      projectId: project.id,
      status: "queued",
      runIndex: 1,
      writable: true,
      parentRunId: null,
      created: true,
    });
    const found = await askJson(`${project.path}/runs/${body.data.id}`);
    expect(summaryOf.parse(found.body).data).toMatchObject({
      id: body.data.id,
      prompt: "do it",
      input: null,
      output: null,
      usage: null,
      meta: { maxAttempts: 3, workspaceBackend: "host" },
    });
  });

  it("supersedes the writable run, and lists newest first", async () => {
    const project = await makeProject();
    const first = await makeRun(project);
    const second = await makeRun(project, { prompt: "more", input: { a: [1] } });
    expect(second.body.data).toMatchObject({ runIndex: 2, parentRunId: first.body.data.id });
    const { body } = await askJson(`${project.path}/runs?limit=1`);
    expect(v1.page(v1.RunSummary).parse(body)).toMatchObject({
      data: [{ id: second.body.data.id, writable: true, input: { a: [1] } }],
      meta: { total: 2, next: `${project.path}/runs?limit=1&offset=1` },
    });
    const rest = await askJson(body.meta.next);
    expect(rest.body).toMatchObject({
      data: [{ id: first.body.data.id, writable: false }],
      meta: { total: 2, next: null },
    });
    const found = await askJson(project.path);
    expect(found.body.data.latestRunId).toBe(second.body.data.id);
  });

  it("takes JSON whatever its content-type says, and ignores fields it does not know", async () => {
    const project = await makeProject();
    const { status } = await askJson(`${project.path}/runs`, {
      body: JSON.stringify({ prompt: "x", surprise: { deep: [1] } }),
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "idempotency-key": uniqueName("key"),
      },
    });
    expect(status).toBe(200);
  });

  it("resolves aliases of providers", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project, { prompt: "x", provider: " Gemini ", model: " m " });
    const found = await askJson(`${project.path}/runs/${body.data.id}`);
    expect(found.body.data.meta).toMatchObject({ provider: "google", model: "m" });
  });
});

describe("idempotency", () => {
  it("answers the same request with the same run, however it is written", async () => {
    const project = await makeProject();
    const key = uniqueName("key");
    const first = await makeRun(project, { prompt: "x", input: { a: 1, b: 2 } }, key);
    const again = await makeRun(
      project,
      { input: { b: 2, a: 1 }, prompt: "x", provider: null, unknown: 1 },
      ` ${key} `,
    );
    expect(again.body.data).toMatchObject({ id: first.body.data.id, created: false });
    const streamed = await ask(`${project.path}/runs`, {
      json: { prompt: "x", input: { a: 1, b: 2 }, stream: true },
      headers: { "idempotency-key": key },
    });
    expect(streamed.headers.get("x-run-id")).toBe(first.body.data.id);
    await streamed.body?.cancel();
  });

  it("refuses another request under the same key", async () => {
    const project = await makeProject();
    const key = uniqueName("key");
    await makeRun(project, { prompt: "x" }, key);
    for (const body of [
      { prompt: "y" },
      { prompt: "x", model: "m" },
      { prompt: "x", workspaceBackend: "host" },
      { content: "x" },
    ]) {
      const answer = await makeRun(project, body, key);
      expect(answer).toMatchObject({ status: 409, body: { code: "idempotency_mismatch" } });
    }
    const { body } = await askJson(`${project.path}/runs`);
    expect(body.meta.total).toBe(1);
  });

  it("creates once when asked at the same time", async () => {
    const project = await makeProject();
    const key = uniqueName("key");
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => makeRun(project, { prompt: "x" }, key)),
    );
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1);
    expect(answers.filter(({ body }) => body.data.created)).toHaveLength(1);
  });
});

describe("bad input is refused and creates nothing", () => {
  const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
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
        expect(await askJson(path + tail), path + tail).toMatchObject({ status: 404 });
      }
      const cancelled = await askJson(`${path}/cancel`, { method: "POST" });
      expect(cancelled, path).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
    const untouched = await askJson(`${project.path}/runs/${runId}`);
    expect(untouched.body.data.status).toBe("queued");
  });

  it.each(["-x", "a b", "%zz", "é", "a".repeat(129)])(
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

describe("a run that is executed", () => {
  it("is followed from its first event to its last", async () => {
    const runner = await ScriptedRunner.join();
    const project = await makeProject();
    const response = await ask(`${project.path}/runs`, {
      json: { prompt: "say hello", stream: true },
      headers: { "idempotency-key": uniqueName("key") },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const runId = response.headers.get("x-run-id") ?? "";
    const attempt = await runner.take(runId);
    await attempt.append([
      { type: "run.phase", data: { phase: "plan", state: "started" } },
      { type: "text.delta", data: { messageId: "m", text: "hel" } },
      { type: "text.delta", data: { messageId: "m", text: 'lo "you"' } },
    ]);
    await attempt.append([], { kind: "succeeded", output: "hello" });
    const text = await response.text();
    const frames = framesOf(text);
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1));
    const names = frames.map(({ event, data }) => {
      const status = (data as { readonly status?: string }).status;
      return event === "status" ? status : event;
    });
    expect(names).toEqual(["queued", "running", "phase_started", "token", "token", "done"]);

    const path = `${project.path}/runs/${runId}/stream`;
    expect(await (await ask(path)).text()).toBe(text);
    for (let after = 0; after <= frames.length; after += 1) {
      const resumed = await ask(`${path}?after=0`, { headers: { "last-event-id": `${after}` } });
      expect(framesOf(await resumed.text())).toEqual(frames.slice(after));
    }
    expect(await (await ask(`${path}?after=99`)).text()).toBe("");
    const summary = await askJson(`${project.path}/runs/${runId}`);
    expect(summary.body.data).toMatchObject({
      status: "completed",
      output: "hello",
      error: null,
      meta: { attempt: 1 },
    });
    const said = await askJson(`${project.path}/runs/${runId}/messages`);
    expect(v1.page(v1.Message).parse(said.body).data).toMatchObject([
      { role: "user", content: "say hello" },
      { role: "assistant", content: "hello" },
    ]);
  });

  it("continues the conversation with a message", async () => {
    const project = await makeProject();
    const { status, body } = await makeRun(project, { content: "and now?", input: 7 });
    expect(status).toBe(200);
    expect(v1.envelope(v1.MessageCreated).parse(body).data).toMatchObject({
      run: { projectId: project.id, created: true },
      message: { role: "user", content: "and now?" },
    });
    const path = `${project.path}/runs/${body.data.run.id}/messages?limit=1`;
    expect((await askJson(path)).body).toMatchObject({
      data: [{ role: "user", content: "and now?", input: 7, runId: body.data.run.id }],
      meta: { total: 1, next: null },
    });
  });
});

describe("a stream", () => {
  it.each(["abc", "-1", "1.5", " ", "1e3"])("refuses the cursor %j", async (cursor) => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}/stream`;
    const asQuery = await askJson(`${path}?after=${encodeURIComponent(cursor)}`);
    expect(asQuery).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    if (cursor.trim() === "") return;
    const asHeader = await askJson(path, { headers: { "last-event-id": cursor } });
    expect(asHeader).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
  });

  it("answers HEAD without staying open", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}/stream`;
    const response = await ask(path, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-run-id")).toBe(body.data.id);
    expect(await response.text()).toBe("");
    const absent = await ask(`${project.path}/runs/${crypto.randomUUID()}/stream`, {
      method: "HEAD",
    });
    expect(absent.status).toBe(404);
  });

  it("ends after the terminal frame of a cancelled run", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const path = `${project.path}/runs/${body.data.id}`;
    const stream = await ask(`${path}/stream`);
    const cancel = await askJson(`${path}/cancel`, { method: "POST" });
    expect(v1.envelope(v1.RunCancelled).parse(cancel.body).data).toMatchObject({
      id: body.data.id,
      projectId: project.id,
      cancelled: true,
      writable: true,
    });
    const frames = framesOf(await stream.text());
    expect(frames.at(-1)).toMatchObject({ event: "status", data: { status: "cancelled" } });
    const again = await askJson(`${path}/cancel`, { method: "POST" });
    expect(again.body.data).toMatchObject({ status: "cancelled", cancelled: true });
    expect((await askJson(`${path}/download.zip`)).status).toBe(404);
  });
});
