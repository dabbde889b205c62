import { attemptLabel } from "@millrace/contracts";
import { describe, expect, it } from "vitest";
import { ObjectCache } from "../kube/object-cache.ts";
import type { Secret } from "./facts.ts";
import { findSecret } from "./find-secret.ts";
import type { StoredSession } from "./session.ts";
import { annotations } from "./resources/annotations.ts";
import { makeRun, makeSecret, makeSession, runId } from "./testing/make-facts.ts";

function makeCaches(sessions: readonly StoredSession[], secrets: readonly Secret[]) {
  const caches = {
    sessions: new ObjectCache<StoredSession, "run">({
      run: ({ status }) => [(status as { readonly runId?: string } | undefined)?.runId ?? ""],
    }),
    secrets: new ObjectCache<Secret, "owner" | "run">({
      owner: () => [],
      run: ({ metadata }) => [metadata.annotations?.[annotations.runId] ?? ""],
    }),
  };
  for (const one of sessions) caches.sessions.set(one);
  for (const one of secrets) caches.secrets.set(one);
  return { sessions: { cache: caches.sessions }, secrets: { cache: caches.secrets } };
}

const unsaid = makeSession({});
const { uid, namespace, name } = unsaid.metadata;
const made = makeSecret();
const stored = { ...made, metadata: { ...made.metadata, labels: { [attemptLabel]: "1" } } };
const stop = { runId, attempt: 1 };
const there = expect.objectContaining({ namespace, name: stored.metadata.name });

describe("where the Secret of an attempt lies that is to end", () => {
  it("is by the session whose status names the run, whether it is in the cache or not", () => {
    const children = makeCaches([makeSession({ status: { runId } })], []);
    expect(findSecret(stop, { children, run: undefined })).toEqual(there);
  });

  it("is by the run, where the status does not say it yet", () => {
    const children = makeCaches([unsaid], []);
    const session = { uid, namespace, name };
    expect(findSecret(stop, { children, run: makeRun({ session }) })).toEqual(there);
    const another = { ...session, uid: "5e000000-0000-4000-8000-000000000002" };
    expect(findSecret(stop, { children, run: makeRun({ session: another }) })).toBeUndefined();
  });

  it("is what a process stored that was killed before it said so", () => {
    const children = makeCaches([unsaid], [stored]);
    expect(findSecret(stop, { children, run: undefined })).toEqual(there);
    expect(findSecret({ runId, attempt: 2 }, { children, run: undefined })).toBeUndefined();
  });
});
