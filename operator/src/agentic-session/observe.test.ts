import { describe, expect, it } from "vitest";
import type { KubeClient } from "../kube/kube-client.ts";
import { ObjectCache, byOwnerUid } from "../kube/object-cache.ts";
import type { Children } from "./children.ts";
import type { Pod, Secret } from "./facts.ts";
import { observe } from "./observe.ts";
import { makeSecret, makeSession, runId } from "./testing/make-facts.ts";

const cacheOf = <T extends Pod | Secret>() => ({
  cache: new ObjectCache<T, "owner" | "session">({ owner: byOwnerUid, session: () => [] }),
});

describe("what is seen of a session", () => {
  it("is of one moment: an attempt that is asked for while the API server answers is not left over", async () => {
    const session = makeSession({ spec: { secretRefs: ["deploy"] }, status: { runId } });
    const [jobs, pods, claims] = [cacheOf<Pod>(), cacheOf<Pod>(), cacheOf<Pod>()];
    const secrets = cacheOf<Secret>();
    const children = { jobs, pods, secrets, claims, warnings: [] } as unknown as Children;
    const asked = makeSecret();
    const controller = { controller: true, uid: session.metadata.uid };
    const attempt = {
      ...asked,
      metadata: {
        ...asked.metadata,
        labels: { "millrace.dev/attempt": "1" },
        ownerReferences: [{ apiVersion: "v1", kind: "AgenticSession", name: "fix", ...controller }],
      },
    };
    const api = {
      get: async () => {
        secrets.cache.set(attempt);
        return { ...asked, metadata: { labels: { "millrace.dev/session-secret": "true" } } };
      },
    } as unknown as KubeClient;
    const facts = await observe(session, {
      api,
      children,
      now: 0,
      run: undefined,
      acked: new Set(),
      hiddenValues: async () => [],
      keeping: () => undefined,
    });
    expect(facts).toMatchObject({ attempt: 0, others: [] });
    expect(secrets.cache.by("owner", session.metadata.uid)).toHaveLength(1);
  });
});
