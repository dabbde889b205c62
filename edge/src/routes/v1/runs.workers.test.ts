import { v1 } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { ask, askJson, makeProject, makeRun, uniqueName } from "../../testing/api.ts";

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
