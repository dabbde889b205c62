import { limits, streamRoutes, subscriptionRoutes, v1, v1Routes } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { app } from "./app.ts";
import { apiKey, ask, askJson, makeProject } from "./testing/api.ts";

const routes = [...v1Routes.all, ...streamRoutes.all, ...subscriptionRoutes.all];
/** Names of streams may hold slashes. */
const plain = (path: string) =>
  path
    .replace("{name}", "*")
    .replace("{stream}", ":stream{[^]+}")
    .replaceAll(/\/\{(\w+)\}/g, "/:$1");

const preflight = (origin: string) =>
  ask("/v1/projects/p/runs", {
    method: "OPTIONS",
    key: null,
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "idempotency-key,x-agent-api-key",
    },
  });

describe("what needs no key", () => {
  it.each(["/", "/v1"])("%s says what this is", async (path) => {
    const { status, body } = await askJson(path, { key: null });
    expect(status).toBe(200);
    expect(v1.envelope(v1.Root).parse(body).data.endpoints).toContain("POST /v1/projects");
  });

  it.each(["/health", "/v1/health"])("%s checks every store", async (path) => {
    const { status, body } = await askJson(path, { key: null });
    expect(status).toBe(200);
    const { data } = v1.envelope(v1.Health).parse(body);
    expect(data.status).toBe("ok");
    expect(Object.keys(data.checks)).toEqual(["d1", "r2", "objects"]);
  });

  it.each(["/capabilities", "/v1/capabilities"])("%s says what it can do", async (path) => {
    const { body } = await askJson(path, { key: null });
    expect(v1.envelope(v1.Capabilities).parse(body).data).toMatchObject({
      name: "millrace",
      constraints: { promptMaxChars: limits.promptMaxChars },
    });
  });

  it("/openapi.json is the contract", async () => {
    const { body } = await askJson("/openapi.json", { key: null });
    expect(body.openapi).toBe("3.1.0");
    expect(Object.keys(body.paths)).toEqual([...new Set(routes.map(({ path }) => path as string))]);
  });

  it("/docs is one page that needs no other site", async () => {
    const response = await ask("/docs", { key: null });
    const page = await response.text();
    expect(response.headers.get("content-type")).toContain("text/html");
    for (const { path, operationId } of routes) {
      expect(page).toContain(`<code>${path}</code>`);
      expect(page).toContain(`id="${operationId}"`);
    }
    expect(page).not.toMatch(/(src|href)="https?:/);
  });
});

it("serves every route of the contract, and no other under /v1", () => {
  const contract = routes
    .filter(({ method }) => method !== "head") // Hono answers HEAD by the GET route.
    .map(({ method, path }) => `${method.toUpperCase()} ${plain(path)}`);
  const served = app.routes
    .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1"))
    .map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(served)].toSorted()).toEqual(contract.toSorted());
});

describe("failures have one shape", () => {
  it.each([
    ["/nowhere", {}, 404],
    ["/v1/nowhere", {}, 404],
    ["/v1/projects", { key: null }, 401],
    ["/v1/projects", { method: "DELETE" }, 404],
    ["/v1/projects/nowhere", {}, 404],
    ["/runner/pools/default/socket", {}, 401],
    ["/runner/nowhere", {}, 404],
  ] as const)("%s %o", async (path, request, status) => {
    const answer = await askJson(path, request);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-request-id")).toMatch(/./);
  });
});

describe("HEAD answers like GET", () => {
  it.each(["/", "/health", "/docs", "/openapi.json", "/v1/projects", "/nowhere"])(
    "%s",
    async (path) => {
      const get = await ask(path);
      const head = await ask(path, { method: "HEAD" });
      expect(head.status).toBe(get.status);
      expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
      expect(await head.text()).toBe("");
      await get.text();
    },
  );
});

describe("a web page", () => {
  it.each(["http://localhost:5173", "http://127.0.0.1", "https://localhost"])(
    "of %s may call, and read the run's id",
    async (origin) => {
      const asked = await preflight(origin);
      expect(asked.status).toBe(204);
      expect(asked.headers.get("access-control-allow-origin")).toBe(origin);
      expect(asked.headers.get("access-control-allow-headers")).toContain("idempotency-key");
      const got = await ask("/v1/projects", { headers: { origin } });
      expect(got.headers.get("access-control-allow-origin")).toBe(origin);
      expect(got.headers.get("access-control-expose-headers")).toContain("x-run-id");
      expect(got.headers.get("vary")).toBe("Origin");
      await got.text();
      const refused = await ask("/v1/projects", { headers: { origin }, key: "wrong" });
      expect(refused.headers.get("access-control-allow-origin")).toBe(origin);
      await refused.text();
    },
  );

  it.each(["https://example.com", "http://localhost.example.com", "null"])(
    "of %s may not",
    async (origin) => {
      const asked = await preflight(origin);
      expect(asked.headers.get("access-control-allow-origin")).toBeNull();
    },
  );
});

describe("projects", () => {
  it("are made once and keep their name", async () => {
    const id = crypto.randomUUID();
    const first = await askJson("/v1/projects", { json: { id, name: " A " } });
    expect(v1.envelope(v1.ProjectCreated).parse(first.body).data).toMatchObject({
      id,
      name: "A",
      latestRunId: null,
      created: true,
    });
    const again = await askJson("/v1/projects", { json: { id, name: "B" } });
    expect(again.body.data).toMatchObject({ id, name: "A", created: false });
    expect((await askJson(`/v1/projects/${id}`)).body.data).toMatchObject({ id, name: "A" });
  });

  it("get an id when they have none", async () => {
    const { body } = await askJson("/v1/projects", { json: {} });
    expect(body.data.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.data.name).toBe(body.data.id);
  });

  it.each(["null", "[]", '{"id":7}', '{"id":"-x"}', '{"id":""}', '{"name":" "}', "x"])(
    "are not made from %s",
    async (body) => {
      expect((await askJson("/v1/projects", { body })).status).toBe(400);
    },
  );

  it("are listed last changed first, page by page", async () => {
    const made = [await makeProject(), await makeProject(), await makeProject()];
    const { body } = await askJson("/v1/projects?limit=2");
    const page = v1.page(v1.Project).parse(body);
    expect(page.data).toHaveLength(2);
    expect(page.meta.total).toBeGreaterThanOrEqual(3);
    const seen: string[] = page.data.map(({ id }) => id);
    let { next } = page.meta;
    while (next !== null) {
      const more = v1.page(v1.Project).parse((await askJson(next)).body);
      seen.push(...more.data.map(({ id }) => id));
      next = more.meta.next;
    }
    expect(seen).toHaveLength(page.meta.total);
    expect(seen).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
  });

  it.each(["limit=0", "limit=x", "offset=-1", "limit=1&limit=2"])("refuse ?%s", async (query) => {
    const { status, body } = await askJson(`/v1/projects?${query}`);
    expect(status).toBe(400);
    expect(body.error.details.field).toMatch(/limit|offset/);
  });
});

it("takes the key as a bearer token too", async () => {
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await askJson("/v1/projects", { key: null, headers })).status).toBe(200);
});
