import { env } from "cloudflare:workers";
import { d1 } from "@millrace/migrations";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../digest.ts";
import { apiKey, ask, askJson, makeProject, makeRun, uniqueName } from "../testing/api.ts";

const registry = drizzle(env.DB);

interface KeyFacts {
  readonly orgId?: string;
  readonly role?: "admin" | "member" | "viewer";
  readonly projectId?: string;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
}

async function makeKey({ orgId = uniqueName("org"), role = "member", ...facts }: KeyFacts = {}) {
  const key = uniqueName("key");
  const org = { id: orgId, slug: orgId, name: orgId, createdAt: 0 };
  await registry.insert(d1.orgs).values(org).onConflictDoNothing();
  const hash = await sha256Hex(key);
  const row = { id: key, hash, orgId, name: "test", role, createdAt: 0, ...facts };
  await registry.insert(d1.apiKeys).values(row);
  return key;
}

const statusOf = async (key: string | null, headers = {}) =>
  (await askJson("/v1/projects", { key, headers })).status;

describe("an API key", () => {
  it("is needed, and must be right", async () => {
    expect(await statusOf(null)).toBe(401);
    expect(await statusOf("wrong")).toBe(401);
    expect(await statusOf("")).toBe(401);
    expect(await statusOf(`${apiKey}x`)).toBe(401);
    expect(await statusOf(null, { authorization: `Basic ${apiKey}` })).toBe(401);
    expect(await statusOf(apiKey)).toBe(200);
  });

  it("in its own header wins over a bearer token", async () => {
    const good = { authorization: `Bearer ${apiKey}` };
    expect(await statusOf(null, good)).toBe(200);
    expect(await statusOf("wrong", good)).toBe(401);
    expect(await statusOf(apiKey, { authorization: "Bearer wrong" })).toBe(200);
  });

  it("from the settings is written once, hashed", async () => {
    await Promise.all(Array.from({ length: 5 }, () => statusOf(apiKey)));
    const hash = await sha256Hex(apiKey);
    const rows = await registry.select().from(d1.apiKeys).where(eq(d1.apiKeys.hash, hash));
    expect(rows).toMatchObject([{ name: "AGENT_API_KEY", role: "admin", projectId: null }]);
    expect(JSON.stringify(rows)).not.toContain(apiKey);
  });

  it("that is over is worth nothing", async () => {
    expect(await statusOf(await makeKey({ expiresAt: Date.now() - 1 }))).toBe(401);
    expect(await statusOf(await makeKey({ revokedAt: Date.now() - 1 }))).toBe(401);
    expect(await statusOf(await makeKey({ expiresAt: Date.now() + 60_000 }))).toBe(200);
  });

  it("notes when it was used", async () => {
    const key = await makeKey();
    expect(await statusOf(key)).toBe(200);
    await vi.waitFor(
      async () => {
        const [row] = await registry.select().from(d1.apiKeys).where(eq(d1.apiKeys.id, key));
        expect(row?.lastUsedAt).toBeGreaterThan(Date.now() - 60_000);
      },
      { timeout: 20_000 },
    );
  });

  it("of a viewer reads and changes nothing", async () => {
    const key = await makeKey({ role: "viewer" });
    expect(await statusOf(key)).toBe(200);
    expect((await ask("/v1/projects", { key, method: "HEAD" })).status).toBe(200);
    const made = await askJson("/v1/projects", { key, json: {} });
    expect(made).toMatchObject({ status: 403, body: { code: "permission_denied" } });
  });
});

describe("an org", () => {
  it("sees nothing of another, whatever ids it knows", async () => {
    const project = await makeProject();
    const { body } = await makeRun(project);
    const key = await makeKey();
    const run = `${project.path}/runs/${body.data.id}`;
    for (const path of [project.path, `${project.path}/runs`, run, `${run}/messages`]) {
      expect((await askJson(path, { key })).status, path).toBe(404);
    }
    for (const path of [`${run}/stream`, `${run}/download.zip`]) {
      expect((await askJson(path, { key })).status, path).toBe(404);
    }
    expect((await askJson(`${run}/cancel`, { key, method: "POST" })).status).toBe(404);
    expect((await askJson("/v1/projects", { key })).body.meta.total).toBe(0);
  });

  it("may use a name that another uses", async () => {
    const [one, two] = [await makeKey(), await makeKey()];
    const id = uniqueName("shared");
    for (const key of [one, two]) {
      const { body } = await askJson("/v1/projects", { key, json: { id, name: key } });
      expect(body.data).toMatchObject({ created: true, name: key });
    }
  });
});

it("a key of one project opens no other", async () => {
  const orgId = uniqueName("org");
  const admin = await makeKey({ orgId });
  const [mine, other] = [uniqueName("mine"), uniqueName("other")];
  for (const id of [mine, other]) await askJson("/v1/projects", { key: admin, json: { id } });
  const key = await makeKey({ orgId, projectId: mine });
  expect((await askJson(`/v1/projects/${mine}`, { key })).status).toBe(200);
  expect((await askJson(`/v1/projects/${other}`, { key })).status).toBe(403);
  expect((await askJson(`/v1/projects/${other}/runs`, { key })).status).toBe(403);
  expect((await askJson("/v1/projects", { key, json: { id: mine } })).status).toBe(200);
  expect((await askJson("/v1/projects", { key, json: {} })).status).toBe(403);
  const listed = await askJson("/v1/projects", { key });
  expect(listed.body).toMatchObject({ data: [{ id: mine }], meta: { total: 1 } });
});
