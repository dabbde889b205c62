import { randomUUID } from "node:crypto";
import { v1 } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { Api, type Answer, type Call } from "./support/api.ts";
import { startPlatform, type Platform } from "./support/platform.ts";

// No runner is there: every run stays queued, which is all that these tests need.
let platform: Platform;
let api: Api;

beforeAll(async () => {
  platform = await startPlatform();
  api = platform.api;
});

const keyed = (key: string = randomUUID()) => ({ "idempotency-key": key });
const postRun = (project: string, body: unknown, headers = keyed()): Promise<Answer> =>
  api.request("POST", `/v1/projects/${project}/runs`, { body, headers });

/** Every refusal has this one shape, and never tells what happened inside. */
function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer).toMatchObject({ status });
  const problem = v1.Problem.parse(answer.body);
  expect(problem).toMatchObject({ code, message: problem.error.message, error: { code } });
  expect(problem.message).not.toMatch(/\bat .*\.(js|ts):|SQLITE|D1_ERROR|ZodError/);
}

const totalOf = (answer: Answer): number => v1.page(v1.RunSummary).parse(answer.body).meta.total;

const withHeaders = (headers: Record<string, string>): Promise<number> =>
  fetch(`${platform.url}/v1/projects`, { headers }).then(({ status }) => status);

describe("a key", () => {
  it("is asked for everywhere but at the root, health and capabilities", async () => {
    for (const path of ["/", "/v1", "/health", "/v1/health", "/v1/capabilities", "/openapi.json"])
      expect((await fetch(platform.url + path)).status, path).toBe(200);
    for (const path of ["/v1/projects", "/v1/projects/p", "/v1/projects/p/runs"]) {
      expectProblem(await new Api(platform.url, "").request("GET", path), 401, "unauthenticated");
    }
  });

  it("may come in either header, and the own one wins", async () => {
    const good = platform.apiKey;
    expect(await withHeaders({ "x-agent-api-key": good })).toBe(200);
    expect(await withHeaders({ authorization: `Bearer ${good}` })).toBe(200);
    expect(await withHeaders({ authorization: `bearer ${good}` })).toBe(200);
    const both = { "x-agent-api-key": "wrong", authorization: `Bearer ${good}` };
    expect(await withHeaders(both)).toBe(401);
    expect(await withHeaders({ authorization: good })).toBe(401);
    expect(await withHeaders({ authorization: `Bearer ${platform.poolToken}` })).toBe(401);
  });
});

describe("bad input", () => {
  const long = "x".repeat(200_001);
  it.each<[string, string | object, number, string]>([
    ["not JSON", "{prompt:", 400, "invalid_json"],
    ["an empty body", "", 400, "invalid_json"],
    ["null", "null", 400, "invalid_argument"],
    ["a list", "[1]", 400, "invalid_argument"],
    ["a string", '"prompt"', 400, "invalid_argument"],
    ["no prompt", {}, 400, "invalid_argument"],
    ["a null prompt", { prompt: null }, 400, "invalid_argument"],
    ["a number for a prompt", { prompt: 5 }, 400, "invalid_argument"],
    ["a blank prompt", { prompt: " \n\t" }, 400, "invalid_argument"],
    ["too long a prompt", { prompt: long }, 400, "invalid_argument"],
    ["an unknown provider", { prompt: "x", provider: "nobody" }, 400, "invalid_argument"],
    ["a provider that is a number", { prompt: "x", provider: 1 }, 400, "invalid_argument"],
    ["an empty model", { prompt: "x", model: "" }, 400, "invalid_argument"],
    ["stream as text", { prompt: "x", stream: "true" }, 400, "invalid_argument"],
    ["an unknown backend", { prompt: "x", workspaceBackend: "vm" }, 400, "invalid_argument"],
    ["e2b", { prompt: "x", workspaceBackend: "e2b" }, 400, "workspace_unavailable"],
    ["over 1 MB", { prompt: "x", input: "y".repeat(1_000_001) }, 413, "payload_too_large"],
  ])("%s is refused and creates nothing", async (_name, body, status, code) => {
    const project = await api.createProject();
    expectProblem(await postRun(project, body), status, code);
    expect(totalOf(await api.request("GET", `/v1/projects/${project}/runs`))).toBe(0);
  });

  it.each(["", "   ", "k".repeat(201)])("the idempotency key %j is refused", async (key) => {
    const project = await api.createProject();
    expectProblem(await postRun(project, { prompt: "x" }, keyed(key)), 400, "invalid_argument");
    expectProblem(
      await api.request("POST", `/v1/projects/${project}/runs`, { body: { prompt: "x" } }),
      400,
      "invalid_argument",
    );
  });

  it.each(["-a", "a/b", "é", "a b", "a".repeat(129), "..", "", 7])(
    "the project id %j is refused",
    async (id) => {
      expectProblem(
        await api.request("POST", "/v1/projects", { body: { id } }),
        400,
        "invalid_argument",
      );
    },
  );

  it("in a path is never a crash", async () => {
    const project = await api.createProject();
    const run = await api.createRun(project, { prompt: "x" });
    const ids = ["0", "null", "%00", "%ff", "..%2f..", "'; drop table runs", randomUUID()];
    for (const id of ids.map((one) => (one.includes("%") ? one : encodeURIComponent(one)))) {
      for (const tail of ["", "/messages", "/stream", "/download.zip", "/cancel"]) {
        const method = tail === "/cancel" ? "POST" : "GET";
        for (const path of [`${project}/runs/${id}`, `${id}/runs/${run.id}`]) {
          const answer = await api.request(method, `/v1/projects/${path}${tail}`);
          expect([400, 404], `${path}${tail}`).toContain(answer.status);
          v1.Problem.parse(answer.body);
        }
      }
    }
    for (const query of ["limit=0", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "limit="])
      expectProblem(
        await api.request("GET", `/v1/projects/${project}/runs?${query}`),
        400,
        "invalid_argument",
      );
  });

  it("fields that nobody knows are ignored, spelling is forgiven", async () => {
    const project = await api.createProject();
    const body = { prompt: "x", provider: " Gemini ", workspaceBackend: " HOST ", color: "red" };
    const answer = await postRun(project, body);
    const { data } = v1.envelope(v1.RunCreated).parse(answer.body);
    expect((await api.run(project, data.id)).meta.provider).toBe("google");
  });
});

describe("idempotency", () => {
  it("gives one run for one key and body, however often and at once", async () => {
    const project = await api.createProject();
    const key = randomUUID();
    const runs = await Promise.all(
      Array.from({ length: 10 }, () => api.createRun(project, { prompt: "x" }, key)),
    );
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    expect(runs.filter(({ created }) => created)).toHaveLength(1);
  });

  it("refuses another body, and a message, under a key in use", async () => {
    const project = await api.createProject();
    const headers = keyed();
    await postRun(project, { prompt: "x" }, headers);
    expectProblem(await postRun(project, { prompt: "y" }, headers), 409, "idempotency_mismatch");
    const call: Call = { body: { content: "x" }, headers };
    expectProblem(
      await api.request("POST", `/v1/projects/${project}/messages`, call),
      409,
      "idempotency_mismatch",
    );
    expect(totalOf(await api.request("GET", `/v1/projects/${project}/runs`))).toBe(1);
  });

  it("outlives the edge", async () => {
    const project = await api.createProject();
    const key = randomUUID();
    const { id } = await api.createRun(project, { prompt: "x" }, key);
    await platform.restart();
    expect(await api.createRun(project, { prompt: "x" }, key)).toMatchObject({
      id,
      created: false,
    });
  });

  it("is the project's own affair", async () => {
    const [one, other] = [await api.createProject(), await api.createProject()];
    const key = randomUUID();
    const first = await api.createRun(one, { prompt: "x" }, key);
    const second = await api.createRun(other, { prompt: "x" }, key);
    expect(second).toMatchObject({ created: true, runIndex: 1 });
    expect(second.id).not.toBe(first.id);
  });
});

describe("runs of a project", () => {
  it("stand in one order, and only the newest is writable", async () => {
    const project = await api.createProject();
    const created = await Promise.all(
      Array.from({ length: 6 }, (_, i) => api.createRun(project, { prompt: `run ${i}` })),
    );
    expect(new Set(created.map(({ runIndex }) => runIndex))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
    const answer = await api.request("GET", `/v1/projects/${project}/runs`);
    const runs = v1.page(v1.RunSummary).parse(answer.body).data;
    expect(runs.map(({ runIndex }) => runIndex)).toEqual([6, 5, 4, 3, 2, 1]);
    expect(runs.map(({ writable }) => writable)).toEqual([true, ...Array(5).fill(false)]);
    expect(runs.map(({ parentRunId }) => parentRunId)).toEqual([
      ...runs.slice(1).map(({ id }) => id),
      null,
    ]);
  });

  it("are read page by page", async () => {
    const project = await api.createProject();
    for (let i = 0; i < 5; i += 1) await api.createRun(project, { prompt: `run ${i}` });
    const seen: number[] = [];
    let path: string | null = `/v1/projects/${project}/runs?limit=2`;
    while (path) {
      const answer: Answer = await api.request("GET", path);
      const page: { data: v1.RunSummary[]; meta: { total: number; next: string | null } } = v1
        .page(v1.RunSummary)
        .parse(answer.body);
      expect(page.meta.total).toBe(5);
      seen.push(...page.data.map(({ runIndex }) => runIndex));
      path = page.meta.next;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    const beyond = await api.request("GET", `/v1/projects/${project}/runs?limit=9999&offset=9`);
    expect(beyond.body).toMatchObject({ data: [], meta: { total: 5, next: null } });
  });

  it("can be cancelled while they wait, superseded or not, again and again", async () => {
    const project = await api.createProject();
    const first = await api.createRun(project, { prompt: "one" });
    const second = await api.createRun(project, { prompt: "two" });
    for (const [run, writable] of [
      [first, false],
      [second, true],
    ] as const) {
      const answer = await api.cancel(project, run.id);
      expect(answer).toMatchObject({ id: run.id, projectId: project, cancelled: true, writable });
      expect((await api.waitForEnd(project, run.id)).status).toBe("cancelled");
      expect(await api.cancel(project, run.id)).toMatchObject({
        status: "cancelled",
        cancelled: true,
      });
      const frames = await (await api.stream(project, run.id)).toEnd();
      expect(frames.map(({ id }) => id)).toEqual(frames.map((_, i) => i + 1));
      expect(frames.at(-1)).toMatchObject({ event: "status", data: { status: "cancelled" } });
      expectProblem(
        await api.request("GET", `/v1/projects/${project}/runs/${run.id}/download.zip`),
        404,
        "not_found",
      );
    }
  });

  it("are not found under another project", async () => {
    const [mine, other] = [await api.createProject(), await api.createProject()];
    const run = await api.createRun(mine, { prompt: "x" });
    for (const tail of ["", "/messages", "/stream", "/download.zip"])
      expectProblem(
        await api.request("GET", `/v1/projects/${other}/runs/${run.id}${tail}`),
        404,
        "not_found",
      );
    expectProblem(
      await api.request("POST", `/v1/projects/${other}/runs/${run.id}/cancel`),
      404,
      "not_found",
    );
    expect((await api.run(mine, run.id)).status).toBe("queued");
  });
});

describe("a stream", () => {
  it.each(["abc", "-1", "1.5", "1e3", "0x1"])("refuses the cursor %j", async (cursor) => {
    const project = await api.createProject();
    const { id } = await api.createRun(project, { prompt: "x" });
    const path = `/v1/projects/${project}/runs/${id}/stream`;
    const header = { headers: { "last-event-id": cursor } };
    expectProblem(await api.request("GET", path, header), 400, "invalid_argument");
    expectProblem(await api.request("GET", `${path}?after=${cursor}`), 400, "invalid_argument");
  });

  it("goes on behind the header, which wins over the query", async () => {
    const project = await api.createProject();
    const { id } = await api.createRun(project, { prompt: "x" });
    await api.cancel(project, id);
    await api.waitForEnd(project, id);
    const all = await (await api.stream(project, id)).toEnd();
    const resumed = await api.stream(project, id, { lastEventId: 1, after: all.length });
    expect(await resumed.toEnd()).toEqual(all.slice(1));
    const beyond = await api.stream(project, id, { after: all.length + 50 });
    expect(await beyond.toEnd()).toEqual([]);
  });

  it("keeps an idle connection open with comments", async () => {
    const project = await api.createProject();
    const { id } = await api.createRun(project, { prompt: "x" });
    const stream = await api.stream(project, id, { after: 1 });
    // What comes after the heartbeat is the cancel: the stream was alive all the time.
    setTimeout(() => void api.cancel(project, id), 17_000);
    await stream.toEnd();
    expect(stream.comments).toBeGreaterThanOrEqual(1);
  });
});

describe("HTTP", () => {
  it("answers HEAD like GET, without a body", async () => {
    const project = await api.createProject();
    for (const [path, status] of [
      ["/health", 200],
      [`/v1/projects/${project}`, 200],
      [`/v1/projects/${project}/runs`, 200],
      [`/v1/projects/${randomUUID()}`, 404],
    ] as const) {
      const response = await api.fetch("HEAD", path);
      expect(response.status, path).toBe(status);
      expect(await response.text()).toBe("");
    }
  });

  it("lets local pages in, shows them the run's id, and no others", async () => {
    const preflight = (origin: string) =>
      api.fetch("OPTIONS", "/v1/projects", {
        headers: { origin, "access-control-request-method": "POST" },
      });
    const local = await preflight("http://localhost:3000");
    expect(local.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
    const foreign = await preflight("https://evil.example");
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
    const origin = { headers: { origin: "http://localhost:3000" } };
    const answer = await api.request("GET", "/v1/projects", origin);
    expect(answer.headers.get("access-control-expose-headers")).toContain("x-run-id");
  });

  it("has one shape for what is not there and for methods that are not", async () => {
    expectProblem(await api.request("GET", "/v1/nothing"), 404, "not_found");
    expectProblem(await api.request("GET", "/nothing/at/all"), 404, "not_found");
    const deleted = await api.request("DELETE", "/v1/projects");
    expect([404, 405]).toContain(deleted.status);
    v1.Problem.parse(deleted.body);
  });
});
