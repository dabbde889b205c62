import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@millrace/contracts";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  usePlatform,
  type HttpAnswer,
  type ScriptedPlatform,
} from "../testing/scripted-platform.ts";
import { EdgeClient, EdgeRefused, EdgeUnreachable } from "./edge-client.ts";
import { EdgeWorkspaceStore } from "./edge-workspace-store.ts";

const signal = new AbortController().signal;

function clientOf(platform: ScriptedPlatform): EdgeClient {
  const retry = { tries: 4, firstMs: 1, maxMs: 5, timeoutMs: 5_000 };
  return new EdgeClient({ edgeUrl: platform.url, runId: platform.runId, token: () => "t", retry });
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-files-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Fails the first `times` requests with `status`. */
function failFirst(platform: ScriptedPlatform, times: number, status: number): void {
  let left = times;
  platform.answerHttp = () => {
    left -= 1;
    return left >= 0 ? { status, body: "no" } : undefined;
  };
}

describe("EdgeClient", () => {
  it.each([500, 503, 429, 408])("tries again after %i", async (status) => {
    const platform = await usePlatform(onTestFinished);
    failFirst(platform, 3, status);
    await clientOf(platform).putBlob("a".repeat(64), new Uint8Array([1, 2]), signal);
    expect(platform.requests).toHaveLength(4);
    expect(await clientOf(platform).getBlob("a".repeat(64), signal)).toEqual(
      new Uint8Array([1, 2]),
    );
  });

  it("gives up in the end", async () => {
    const platform = await usePlatform(onTestFinished);
    failFirst(platform, 99, 500);
    const put = clientOf(platform).putBlob("a".repeat(64), new Uint8Array(), signal);
    await expect(put).rejects.toBeInstanceOf(EdgeUnreachable);
    expect(platform.requests).toHaveLength(4);
  });

  it("does not repeat what was refused", async () => {
    const platform = await usePlatform(onTestFinished);
    failFirst(platform, 99, 403);
    const put = clientOf(platform).putBlob("a".repeat(64), new Uint8Array(), signal);
    await expect(put).rejects.toBeInstanceOf(EdgeRefused);
    expect(platform.requests).toHaveLength(1);
  });

  it("stops with its signal", async () => {
    const platform = await usePlatform(onTestFinished);
    await platform.stop();
    const slow = { tries: 99, firstMs: 60_000, maxMs: 60_000, timeoutMs: 5_000 };
    const options = { edgeUrl: platform.url, runId: platform.runId, token: () => "t" };
    const stop = new AbortController();
    const put = new EdgeClient({ ...options, retry: slow }).getBlob("a".repeat(64), stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(put).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("EdgeWorkspaceStore", () => {
  it("uploads equal parts and completes with what was stored", async () => {
    const platform = await usePlatform(onTestFinished);
    const parts: Buffer[] = [];
    let completed: unknown;
    platform.answerHttp = (request, body): HttpAnswer => {
      const url = request.url ?? "";
      if (url.endsWith("/uploads")) return json({ uploadId: "u/1", key: "org/zip" });
      if (url.endsWith("/complete")) {
        completed = JSON.parse(body.toString());
        return json({ key: "org/zip" });
      }
      parts.push(body);
      return json({ etag: `e${parts.length}` });
    };
    const file = join(makeDirectory(), "a.zip");
    const bytes = randomBytes(limits.archivePartBytes + 1_000);
    writeFileSync(file, bytes);
    const store = new EdgeWorkspaceStore(clientOf(platform), {
      uploads: signal,
      downloads: signal,
    });
    const meta = { kind: "zip", sizeBytes: bytes.length, fileCount: 3 } as const;
    expect(await store.upload(file, meta)).toEqual({ key: "org/zip" });
    expect(parts.map((part) => part.length)).toEqual([limits.archivePartBytes, 1_000]);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    expect(completed).toEqual({
      ...meta,
      key: "org/zip",
      parts: [
        { partNumber: 1, etag: "e1" },
        { partNumber: 2, etag: "e2" },
      ],
    });
  });

  it("aborts an upload that cannot be completed", async () => {
    const platform = await usePlatform(onTestFinished);
    platform.answerHttp = (request): HttpAnswer =>
      request.url?.endsWith("/uploads")
        ? json({ uploadId: "u", key: "k" })
        : { status: request.method === "DELETE" ? 204 : 409, body: "" };
    const file = join(makeDirectory(), "a.bundle");
    writeFileSync(file, "x");
    const store = new EdgeWorkspaceStore(clientOf(platform), {
      uploads: signal,
      downloads: signal,
    });
    const meta = { kind: "bundle", sizeBytes: 1, tree: "a".repeat(40) } as const;
    await expect(store.upload(file, meta)).rejects.toBeInstanceOf(EdgeRefused);
    expect(platform.requests.at(-1)).toMatch(/^DELETE .*uploads\/u\?key=k$/);
  });

  it("saves the bundle, or says that there is none", async () => {
    const platform = await usePlatform(onTestFinished);
    const store = new EdgeWorkspaceStore(clientOf(platform), {
      uploads: signal,
      downloads: signal,
    });
    const file = join(makeDirectory(), "bundle");
    expect(await store.downloadBundle(file)).toBe(false);
    platform.answerHttp = () => ({ status: 200, body: "bundle" });
    expect(await store.downloadBundle(file)).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("bundle");
  });
});

const json = (body: unknown): HttpAnswer => ({ status: 200, body: JSON.stringify(body) });
