import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { askJson, makeProject, makeRun, uniqueName } from "../../testing/api.ts";

const url = "https://hooks.example.com/run";

const create = (project: { readonly path: string }, json: object = { url }) =>
  askJson(`${project.path}/webhooks`, { json: json as never });

function countOf(projectId: string) {
  const count = "SELECT count(*) AS n FROM webhooks WHERE project_id = ?";
  return env.DB.prepare(count).bind(projectId).first("n");
}

describe("a project's webhook", () => {
  it("is created with a secret that is shown once and lies sealed", async () => {
    const project = await makeProject();
    const { body, status } = await create(project, { url, events: ["run.failed", "run.failed"] });
    expect(status).toBe(200);
    const { secret, ...webhook } = body.data;
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(webhook).toMatchObject({ url, events: ["run.failed"], disabled: false });
    const found = await askJson(`${project.path}/webhooks/${webhook.id}`);
    expect(found.body.data).toEqual(webhook);
    const listed = await askJson(`${project.path}/webhooks`);
    expect(listed.body).toMatchObject({ data: [webhook], meta: { total: 1, next: null } });
    const rows = await env.DB.prepare("SELECT * FROM webhook_secrets").all();
    expect(JSON.stringify(rows.results)).not.toContain(secret.slice(6));
  });

  it("is changed, disabled, enabled and deleted", async () => {
    const project = await makeProject();
    const { body } = await create(project);
    const path = `${project.path}/webhooks/${body.data.id}`;
    const patch = (json: object) => askJson(path, { method: "PATCH", json: json as never });
    const events = ["run.cancelled"];
    expect((await patch({ url: `${url}2`, events })).body.data).toMatchObject({
      url: `${url}2`,
      events,
    });
    expect((await patch({ disabled: true })).body.data).toMatchObject({
      disabled: true,
      disabledReason: "requested",
    });
    expect((await patch({ disabled: false })).body.data).toMatchObject({ disabled: false });
    expect((await askJson(path, { method: "DELETE" })).body.data).toEqual({
      id: body.data.id,
      deleted: true,
    });
    expect((await askJson(path)).status).toBe(404);
    expect((await askJson(path, { method: "DELETE" })).status).toBe(404);
    expect((await patch({ disabled: true })).status).toBe(404);
  });

  it("is one of ten at most", async () => {
    const project = await makeProject();
    const answers = await Promise.all(Array.from({ length: 12 }, () => create(project)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 400, 400]);
    const { body } = await askJson(`${project.path}/webhooks?limit=4&offset=4`);
    expect(body.data).toHaveLength(4);
    expect(body.meta).toMatchObject({
      total: 10,
      next: `${project.path}/webhooks?limit=4&offset=8`,
    });
  });

  it("belongs to its project alone", async () => {
    const [one, other] = [await makeProject(), await makeProject()];
    const { body } = await create(one);
    for (const path of [`webhooks/${body.data.id}`, `webhooks/${crypto.randomUUID()}`]) {
      expect((await askJson(`${other.path}/${path}`)).status).toBe(404);
    }
    const secret = `${other.path}/webhooks/${body.data.id}/secret`;
    expect((await askJson(secret, { method: "POST" })).status).toBe(404);
    for (const path of ["webhooks", "webhooks/deliveries"]) {
      expect((await askJson(`/v1/projects/${uniqueName("none")}/${path}`)).status).toBe(404);
    }
  });

  it.for([
    "http://example.com/",
    "https://127.0.0.1/",
    "https://u:p@example.com/",
    "https://a.b:1/",
  ])("may not be %s", async (wrong) => {
    const project = await makeProject();
    const answer = await create(project, { url: wrong });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({
      code: "invalid_argument",
      details: { field: "url" },
    });
  });

  it("gets another secret, and the one before is named with its end", async () => {
    const project = await makeProject();
    const { body } = await create(project);
    const rotated = await askJson(`${project.path}/webhooks/${body.data.id}/secret`, {
      method: "POST",
    });
    expect(rotated.body.data.secret).not.toBe(body.data.secret);
    expect(Date.parse(rotated.body.data.previousValidUntil)).toBeGreaterThan(Date.now());
    const first = await askJson(`${project.path}/webhooks/run-secret`, { method: "POST" });
    expect(first.body.data.previousValidUntil).toBeNull();
  });
});

describe("a run's own webhook", () => {
  it("is part of what makes a request the same, and none is left of a repeat", async () => {
    const project = await makeProject();
    const body = { prompt: "do it", webhook: { url } };
    const first = await makeRun(project, body, "key");
    const repeat = await makeRun(project, body, "key");
    expect(repeat.body.data).toEqual({ ...first.body.data, created: false });
    for (const other of [{ prompt: "do it" }, { ...body, webhook: { url: `${url}2` } }]) {
      expect((await makeRun(project, other, "key")).status).toBe(409);
    }
    expect(await countOf(project.id)).toBe(1);
    const listed = await askJson(`${project.path}/webhooks`);
    expect(listed.body.data).toEqual([]);
  });

  it("is refused with the run, and may come with a message", async () => {
    const project = await makeProject();
    const refused = await makeRun(project, { prompt: "x", webhook: { url: "https://localhost/" } });
    expect(refused.body.error).toMatchObject({ details: { field: "webhook.url" } });
    const lost = { id: "", path: `/v1/projects/${uniqueName("none")}` };
    expect((await makeRun(lost, { prompt: "x", webhook: { url } })).status).toBe(404);
    const message = await makeRun(project, { content: "x", webhook: { url } });
    expect(message.status).toBe(200);
    expect(await countOf(project.id)).toBe(1);
  });
});
