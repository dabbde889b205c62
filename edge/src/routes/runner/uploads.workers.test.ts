import { env } from "cloudflare:workers";
import { limits, runnerPaths, UploadBegun, type JsonValue } from "@millrace/contracts";
import { signRunToken } from "@millrace/durable-objects";
import { describe, expect, it } from "vitest";
import { ask, askJson, makeProject, makeRun } from "../../testing/api.ts";
import { ScriptedRunner, type ScriptedAttempt } from "../../testing/scripted-runner.ts";

async function startedRun() {
  const project = await makeProject();
  const runner = await ScriptedRunner.join();
  const { body } = await makeRun(project);
  const runId: string = body.data.id;
  const attempt = await runner.take(runId);
  await attempt.append([
    { type: "workspace.ready", data: { restored: false, missing: [], isolated: false } },
  ]);
  return { runId, attempt, path: `${project.path}/runs/${runId}` };
}

type Started = Awaited<ReturnType<typeof startedRun>>;

const json = (value: JsonValue) => JSON.stringify(value);

async function begin({ runId, attempt }: Started, sizeBytes: number) {
  const response = await attempt.ask(
    runnerPaths.uploads(runId),
    "POST",
    json({ kind: "zip", sizeBytes }),
  );
  return UploadBegun.parse(await response.json());
}

async function upload(started: Started, bytes: Uint8Array) {
  const { runId, attempt } = started;
  const { uploadId, key } = await begin(started, bytes.byteLength);
  const parts = [];
  for (let at = 0, n = 1; at < bytes.byteLength; at += limits.archivePartBytes, n += 1) {
    const part = bytes.slice(at, at + limits.archivePartBytes);
    const path = runnerPaths.uploadPart(runId, uploadId, n, key);
    const response = await attempt.ask(path, "PUT", part);
    const { etag } = await response.json<{ readonly etag: string }>();
    parts.push({ partNumber: n, etag });
  }
  const complete = { kind: "zip", key, sizeBytes: bytes.byteLength, fileCount: 1, parts };
  return { uploadId, key, complete };
}

const complete = ({ runId, attempt }: Started, uploadId: string, body: JsonValue) =>
  attempt.ask(runnerPaths.uploadComplete(runId, uploadId), "POST", json(body));

/** Comparing megabytes item by item takes seconds. */
async function isSame(response: Response, bytes: Uint8Array): Promise<boolean> {
  const found = new Uint8Array(await response.arrayBuffer());
  return found.byteLength === bytes.byteLength && found.every((byte, at) => byte === bytes[at]);
}

const someBytes = (size: number) => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 7) % 251;
  return bytes;
};

const paths = (runId: string) => [
  [runnerPaths.runSocket(runId), "GET"] as const,
  [runnerPaths.uploads(runId), "POST"] as const,
  [runnerPaths.blob(runId, "0".repeat(64)), "GET"] as const,
  [runnerPaths.workspace(runId), "GET"] as const,
];

const putBlob = (attempt: ScriptedAttempt, sha256: string, body: BodyInit) =>
  attempt.ask(runnerPaths.blob(attempt.offer.runId, sha256), "PUT", body);

describe("an archive", () => {
  it("goes up in parts and comes down whole, in ranges, and not at all when it is known", async () => {
    const started = await startedRun();
    const { path } = started;
    const early = await askJson(`${path}/download.zip`);
    expect(early).toMatchObject({ status: 409, body: { code: "unavailable" } });
    expect(early.headers.get("retry-after")).toMatch(/^\d+$/);

    const bytes = someBytes(limits.archivePartBytes + 1000);
    const { uploadId, complete: body } = await upload(started, bytes);
    const first = await complete(started, uploadId, body);
    expect(first.status).toBe(200);
    // The answer was lost, so the runner asks again.
    expect((await complete(started, uploadId, body)).status).toBe(200);

    const whole = await ask(`${path}/download.zip`);
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "application/zip",
      "content-length": String(bytes.byteLength),
      "content-disposition": `attachment; filename="run-${started.runId}-workspace.zip"`,
      "cache-control": "private, no-store",
    });
    expect(await isSame(whole, bytes)).toBe(true);

    const part = await ask(`${path}/download.zip`, { headers: { range: "bytes=10-19" } });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 10-19/${bytes.byteLength}`);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(10, 20));

    const etag = whole.headers.get("etag") ?? "";
    const known = await ask(`${path}/download.zip`, { headers: { "if-none-match": etag } });
    expect(known.status).toBe(304);

    const head = await ask(`${path}/download.zip`, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(bytes.byteLength));
    expect((await head.arrayBuffer()).byteLength).toBe(0);
  });

  it("is refused when its size is not what was said, and nothing stays", async () => {
    const started = await startedRun();
    const { uploadId, key, complete: body } = await upload(started, someBytes(500));
    const response = await complete(started, uploadId, { ...body, sizeBytes: 501 });
    expect(response.status).toBe(400);
    await response.text();
    expect(await env.ARCHIVES.head(key)).toBeNull();
  });

  it("may be given up, again and again", async () => {
    const started = await startedRun();
    const { uploadId, key } = await begin(started, 10);
    const path = runnerPaths.uploadAbort(started.runId, uploadId, key);
    expect((await started.attempt.ask(path, "DELETE")).status).toBe(204);
    expect((await started.attempt.ask(path, "DELETE")).status).toBe(204);
    const part = runnerPaths.uploadPart(started.runId, uploadId, 1, key);
    expect((await started.attempt.ask(part, "PUT", "x")).status).toBe(404);
  });

  it("goes nowhere but to its own attempt's place", async () => {
    const started = await startedRun();
    const { uploadId, key } = await begin(started, 10);
    for (const other of [`${key}x`, key.replace("attempt-1", "attempt-2"), "x", ""]) {
      const part = runnerPaths.uploadPart(started.runId, uploadId, 1, other);
      expect((await started.attempt.ask(part, "PUT", "x")).status).toBe(403);
      const body = { kind: "zip", key: other, sizeBytes: 1, fileCount: 1, parts: [] };
      expect((await complete(started, uploadId, body)).status).toBe(403);
    }
  });

  it("has parts of a bounded size and a number", async () => {
    const started = await startedRun();
    const { uploadId, key } = await begin(started, 10);
    const put = (n: number, body: BodyInit) =>
      started.attempt.ask(runnerPaths.uploadPart(started.runId, uploadId, n, key), "PUT", body);
    expect((await put(1, new Uint8Array(limits.archivePartBytes + 1))).status).toBe(413);
    expect((await put(0, "x")).status).toBe(400);
    expect((await put(10_001, "x")).status).toBe(400);
  });
});

describe("a run token", () => {
  it("opens its own run only, and only while it is genuine", async () => {
    const one = await startedRun();
    const two = await startedRun();
    for (const [path, method] of paths(two.runId)) {
      expect((await one.attempt.ask(path, method)).status, path).toBe(403);
    }
    const claims = { org: one.attempt.offer.orgId, run: one.runId, attempt: 1 };
    const forged = await signRunToken(claims, "another secret", Date.now());
    const expired = await signRunToken(claims, env.RUN_TOKEN_SECRET, Date.now() - 86_400_000);
    for (const token of [forged, expired, "x", ""]) {
      for (const [path, method] of paths(one.runId)) {
        const headers = { authorization: `Bearer ${token}` };
        expect((await ask(path, { method, headers, key: null })).status, path).toBe(401);
      }
    }
  });

  it("of an attempt that is not current opens no files", async () => {
    const { runId, attempt } = await startedRun();
    const claims = { org: attempt.offer.orgId, run: runId, attempt: 2 };
    const token = await signRunToken(claims, env.RUN_TOKEN_SECRET, Date.now());
    const headers = { authorization: `Bearer ${token}` };
    const blob = await ask(runnerPaths.blob(runId, "0".repeat(64)), { headers, key: null });
    expect(blob.status).toBe(403);
    const begun = await ask(runnerPaths.uploads(runId), {
      headers,
      key: null,
      json: { kind: "zip", sizeBytes: 1 },
    });
    expect(begun.status).toBe(403);
  });

  it("needs a handshake for a socket", async () => {
    const { runId, attempt } = await startedRun();
    expect((await attempt.ask(runnerPaths.runSocket(runId), "GET")).status).toBe(400);
  });
});

describe("a blob", () => {
  it("is stored under the hash of its content, and under no other", async () => {
    const { attempt, runId } = await startedRun();
    const bytes = someBytes(300_000);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
    expect((await putBlob(attempt, hex, bytes)).status).toBe(200);
    expect((await putBlob(attempt, hex, bytes)).status).toBe(200);
    const found = await attempt.ask(runnerPaths.blob(runId, hex), "GET");
    expect(await isSame(found, bytes)).toBe(true);
    expect((await putBlob(attempt, "0".repeat(64), bytes)).status).toBe(400);
    expect((await attempt.ask(runnerPaths.blob(runId, "0".repeat(64)), "GET")).status).toBe(404);
    expect((await putBlob(attempt, "nonsense", bytes)).status).toBe(404);
  });

  it("of a first run has no workspace to start from", async () => {
    const { attempt, runId } = await startedRun();
    expect((await attempt.ask(runnerPaths.workspace(runId), "GET")).status).toBe(404);
  });
});
