import { describe, expect, it } from "vitest";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { Session } from "./session.ts";
import { makeSession } from "./testing/make-facts.ts";
import { isNews, writeStatus } from "./write-status.ts";

const at = (resourceVersion: string, phase: "Creating" | "Running", uid = "one") =>
  makeSession({ status: { phase }, metadata: { resourceVersion, uid } });

/** One session as the API server has it; `meanwhile` is what others have made of it by each look. */
function server(now: Session, meanwhile: Session[] = []) {
  const tried: (string | undefined)[] = [];
  let stored = now;
  const api = {
    get: async () => stored,
    applyStatus: async (_kind: unknown, ref: { readonly resourceVersion?: string }) => {
      tried.push(ref.resourceVersion);
      if (ref.resourceVersion === stored.metadata.resourceVersion) return at("99", "Running");
      stored = meanwhile.shift() ?? stored;
      throw new ApiError({ status: 409, reason: "conflict", message: "modified" });
    },
  } as unknown as Pick<KubeClient, "applyStatus" | "get">;
  const write = () => writeStatus(api, at("1", "Creating"), { status: {}, version: "1" });
  return { write, tried };
}

describe("a session's status", () => {
  it("is written over the version that was looked at", async () => {
    const { write, tried } = server(at("1", "Creating"));
    expect(await write()).toEqual({ over: "1", version: "99" });
    expect(tried).toEqual(["1"]);
  });

  it("is written over what others have done to the rest of the session", async () => {
    const { write, tried } = server(at("2", "Creating"), [at("3", "Creating")]);
    expect(await write()).toEqual({ over: "3", version: "99" });
    expect(tried).toEqual(["1", "3"]);
  });

  it("is never written over another status, nor to another session of the name", async () => {
    for (const other of [at("2", "Running"), at("2", "Creating", "two")]) {
      const { write, tried } = server(other);
      await expect(write()).rejects.toMatchObject({ reason: "conflict" });
      expect(tried).toEqual(["1"]);
    }
  });

  it("waits for the cache when somebody writes between every look and every write", async () => {
    const tried: (string | undefined)[] = [];
    const api = {
      get: async () => at(String(tried.length + 1), "Creating"),
      applyStatus: async (_kind: unknown, ref: { readonly resourceVersion?: string }) => {
        tried.push(ref.resourceVersion);
        throw new ApiError({ status: 409, reason: "conflict", message: "modified" });
      },
    } as unknown as Pick<KubeClient, "applyStatus" | "get">;
    const written = writeStatus(api, at("1", "Creating"), { status: {}, version: "1" });
    await expect(written).rejects.toMatchObject({ reason: "conflict" });
    expect(tried).toEqual(["1", "2", "3", "4"]);
  });

  it("is no news when only activity, usage or the order of its fields has changed", () => {
    expect(isNews(undefined, {})).toBe(false);
    expect(isNews({ runId: "r", phase: "Running" }, { phase: "Running", runId: "r" })).toBe(false);
    expect(isNews({}, { lastActivityTime: "2026-01-01T00:00:00Z" })).toBe(false);
    expect(isNews({ phase: "Running" }, { phase: "Completed" })).toBe(true);
  });
});
