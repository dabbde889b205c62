import { KubeConfig } from "@kubernetes/client-node";
import { expect, it } from "vitest";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { makeWidget, widgets } from "../testing/make-object.ts";
import { type Requeue, type ReconcileContext, makeController, settled } from "./controller.ts";
import { Informer } from "./informer.ts";
import { defineKind } from "./kind.ts";
import { KubeClient } from "./kube-client.ts";
import { LeadershipLost } from "./leader-election.ts";
import { WorkQueue } from "./work-queue.ts";

const children = defineKind("v1", "Pod", "pods");

function unreachable(): KubeConfig {
  const config = new KubeConfig();
  const cluster = { name: "none", server: "https://127.0.0.1:1", skipTLSVerify: false };
  config.loadFromClusterAndUser(cluster, { name: "nobody" });
  return config;
}

async function start(reconcile: (key: string, context: ReconcileContext) => Promise<Requeue>) {
  const clock = new FakeClock();
  const api = new FakeApi();
  const stop = new AbortController();
  const queue = new WorkQueue({
    clock,
    random: () => 0,
    backoff: { firstMs: 100, longestMs: 1000 },
  });
  const primary = new Informer({ api, kind: widgets, clock });
  const owned = new Informer({ api, kind: children, clock });
  const failures: unknown[] = [];
  const controller = makeController({
    name: "widgets",
    api: new KubeClient(unreachable(), { fieldManager: "test" }),
    primary,
    owned: [owned],
    queue,
    workers: 2,
    clock,
    reconcile,
    onError: (_key, error) => failures.push(error),
  });
  const informing = Promise.all(controller.informers.map((one) => one.run(stop.signal)));
  await settle();
  const lead = (assertHeld: () => void = () => undefined) =>
    controller.lead({ signal: stop.signal, term: 0, assertHeld });
  const end = async () => {
    stop.abort();
    await informing;
    queue.clear();
  };
  return { clock, api, lead, end, failures, queue };
}

const child = (name: string, version: number, apiVersion: string) => ({
  ...makeWidget(name, version, {
    ownerReferences: [{ apiVersion, kind: "Widget", name: "o", uid: "u", controller: true }],
  }),
  apiVersion: "v1",
  kind: "Pod",
});

it("looks at every object when it begins to lead, then at what changes", async () => {
  const seen: string[] = [];
  const { api, lead, end } = await start(async (key) => {
    seen.push(key);
    return settled;
  });
  api.put(makeWidget("a", 1));
  api.put(makeWidget("b", 2));
  await settle();
  expect(seen).toEqual([]);
  const leading = lead();
  await settle();
  expect(seen.toSorted()).toEqual(["ns/a", "ns/b"]);
  api.put(makeWidget("b", 3));
  await settle();
  expect(seen.at(-1)).toBe("ns/b");
  await end();
  await leading;
});

it("looks at the owner when a child changes, but not at somebody else's", async () => {
  const seen: string[] = [];
  const { api, lead, end } = await start(async (key) => {
    seen.push(key);
    return settled;
  });
  const leading = lead();
  api.put(child("c1", 1, "test.dev/v2"));
  api.put(child("c2", 2, "other.dev/v1"));
  await settle();
  expect(seen).toEqual(["ns/o"]);
  await end();
  await leading;
});

it("comes back at the time that was asked for", async () => {
  let runs = 0;
  const { api, clock, lead, end } = await start(async () => {
    runs += 1;
    return { kind: "at", at: clock.now() + 5000 };
  });
  api.put(makeWidget("a", 1));
  const leading = lead();
  await clock.advance(4999);
  expect(runs).toBe(1);
  await clock.advance(1);
  expect(runs).toBe(2);
  await end();
  await leading;
});

it("comes back to what is due by now with a growing backoff, and at once when something changes", async () => {
  const at: number[] = [];
  const { api, clock, lead, end, failures } = await start(async () => {
    at.push(clock.monotonic());
    // Again and again at once, it would let nobody in: not the test, and not the news that it waits for.
    if (at.length > 10) await Promise.withResolvers().promise;
    return { kind: "at", at: clock.now() };
  });
  api.put(makeWidget("a", 1));
  const leading = lead();
  await clock.advance(350);
  expect(at).toEqual([0, 100, 300]);
  api.put(makeWidget("a", 2));
  await settle();
  expect(at.at(-1)).toBe(350);
  expect(failures).toEqual([]);
  await end();
  await leading;
});

it("retries what threw or asks for it, with a growing backoff", async () => {
  const at: number[] = [];
  const { api, clock, lead, end, failures } = await start(async () => {
    at.push(clock.monotonic());
    if (at.length === 1) throw new Error("boom");
    return at.length === 2 ? { kind: "retry", because: "not yet" } : settled;
  });
  api.put(makeWidget("a", 1));
  const leading = lead();
  await clock.advance(1000);
  expect(at).toEqual([0, 100, 300]);
  expect(failures).toHaveLength(1);
  await end();
  await leading;
});

it("looks again at the time that was promised, though the backoff after a failure is longer", async () => {
  const at: number[] = [];
  const { api, clock, lead, end } = await start(async (_key, { notAfter }) => {
    at.push(clock.monotonic());
    if (at.length === 1) notAfter(clock.now() + 50);
    if (at.length < 3) throw new Error("boom");
    return settled;
  });
  api.put(makeWidget("a", 1));
  const leading = lead();
  await clock.advance(1000);
  expect(at).toEqual([0, 50, 250]);
  await end();
  await leading;
});

it("lets no write out once the lease has run out", async () => {
  const refusals: unknown[] = [];
  const { api, lead, end } = await start(async (_key, context) => {
    await context.api.get(widgets, { namespace: "ns", name: "a" }).catch((error: unknown) => {
      refusals.push(error);
    });
    return settled;
  });
  api.put(makeWidget("a", 1));
  const leading = lead(() => {
    throw new LeadershipLost("over");
  });
  await settle();
  expect(refusals[0]).toBeInstanceOf(LeadershipLost);
  await end();
  await leading;
});
