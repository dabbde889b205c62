import { expect, it } from "vitest";
import { FakeApi, gone } from "../testing/fake-api.ts";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { type Widget, makeWidget, widgets } from "../testing/make-object.ts";
import { ApiError } from "./api-error.ts";
import { Informer, type InformerOptions } from "./informer.ts";
import { byOwnerUid } from "./object-cache.ts";

type Options = Partial<InformerOptions<Widget, "owner">>;

function start(api: FakeApi, options: Options = {}) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const log: string[] = [];
  const errors: unknown[] = [];
  const informer = new Informer<Widget, "owner">({
    api,
    kind: widgets,
    clock,
    random: () => 0,
    indexes: { owner: byOwnerUid },
    onError: (error) => errors.push(error),
    ...options,
  });
  informer.subscribe(({ type, object }) => {
    log.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`);
  });
  const running = informer.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { clock, informer, log, errors, end };
}

const down = () => new ApiError({ status: 0, reason: "unavailable", message: "down" });

const owned = (name: string, version: number, uid: string) =>
  makeWidget(name, version, {
    ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid, controller: true }],
  });

it("lists page by page from the server's cache, then watches from there", async () => {
  const api = new FakeApi();
  for (let i = 1; i <= 5; i += 1) api.put(makeWidget(`w${i}`, i));
  const { informer, log, end } = start(api, { pageSize: 2 });
  await informer.synced;
  await settle();
  expect(log).toHaveLength(5);
  expect(api.lists.map(({ continue: next, resourceVersion }) => [next, resourceVersion])).toEqual([
    [undefined, "0"],
    ["2", undefined],
    ["4", undefined],
  ]);
  expect(api.watches[0]?.resourceVersion).toBe("5");
  await end();
  expect(api.openWatches).toBe(0);
});

it("tells of changes in order, with what was before", async () => {
  const api = new FakeApi();
  const { log, informer, end } = start(api);
  await informer.synced;
  await settle();
  api.put(makeWidget("a", 1));
  api.put(makeWidget("a", 2));
  api.remove(makeWidget("a", 3));
  await settle();
  expect(log).toEqual(["added a@1", "updated a@2", "deleted a@3"]);
  expect(informer.cache.size).toBe(0);
  await end();
});

it("goes on from the last bookmark, not from the last change, when a watch ends", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1));
  const { informer, log, end } = start(api);
  await informer.synced;
  await settle();
  api.bookmark(70);
  await settle();
  api.endWatches();
  await settle();
  expect(api.watches.map((watch) => watch.resourceVersion)).toEqual(["1", "70"]);
  expect(api.lists).toHaveLength(1);
  expect(log).toEqual(["added a@1"]);
  await end();
});

it("after a 410 lists again from etcd and misses no delete, no add, no change", async () => {
  const api = new FakeApi();
  for (const [index, name] of ["gone", "kept", "changed"].entries()) {
    api.put(makeWidget(name, index + 1));
  }
  let relists = 0;
  const { informer, log, end } = start(api, { onRelist: () => (relists += 1) });
  await informer.synced;
  await settle();
  log.length = 0;
  api.endWatches(gone());
  api.remove(makeWidget("gone", 4));
  api.put(makeWidget("changed", 5));
  api.put(makeWidget("new", 6));
  api.forget();
  await settle();
  // The watch had three changes in its buffer before the server ended it; only their order is open.
  expect(log.toSorted()).toEqual(["added new@6", "deleted gone@1", "updated changed@5"]);
  expect(api.lists.at(-1)?.resourceVersion).toBeUndefined();
  expect(relists).toBe(1);
  await end();
});

it("reports an object deleted and created again under its name as both", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1));
  const { informer, log, end } = start(api);
  await informer.synced;
  await settle();
  api.endWatches(gone());
  api.put(makeWidget("a", 9, { uid: "another" }));
  api.forget();
  await settle();
  expect(log).toEqual(["added a@1", "deleted a@1", "added a@9"]);
  await end();
});

it("waits longer after each failure, and starts anew after a success", async () => {
  const api = new FakeApi();
  api.failures.push(down(), down(), down());
  const { informer, clock, errors, end } = start(api, {
    backoff: { firstMs: 100, longestMs: 10_000 },
  });
  await clock.advance(699);
  expect([api.lists.length, informer.isSynced]).toEqual([3, false]);
  await clock.advance(1);
  expect(informer.isSynced).toBe(true);
  expect(errors).toHaveLength(3);
  await end();
});

it("does not go round in circles when the server answers 410 to everything", async () => {
  const api = new FakeApi();
  api.failures.push(...Array.from({ length: 20 }, gone));
  const { clock, end } = start(api, { backoff: { firstMs: 1000, longestMs: 1000 } });
  await settle();
  expect(api.lists.length).toBeLessThan(4);
  await clock.advance(3000);
  expect(api.lists.length).toBeLessThan(7);
  await end();
});

it("does not go round in circles when a list is never new enough to be watched from", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1));
  api.put(makeWidget("b", 2));
  const watched: number[] = [];
  const failing = {
    list: api.list.bind(api),
    // eslint-disable-next-line require-yield -- a watch that fails before its first event
    watch: async function* watch() {
      watched.push(clock.monotonic());
      // Round in circles it would never let the test go on.
      if (watched.length > 10) await Promise.withResolvers().promise;
      throw gone();
    },
  } as unknown as FakeApi;
  const { clock, end } = start(failing);
  await clock.advance(4000);
  expect(watched).toEqual([0, 0, 1000, 3000]);
  await end();
});

it("waits before it watches again when a watch ends as soon as it has begun", async () => {
  const api = new FakeApi();
  const { clock, errors, end } = start(api);
  await settle();
  for (const waitMs of [500, 1000, 2000]) {
    api.endWatches();
    await clock.advance(waitMs - 1);
    expect(api.openWatches).toBe(0);
    await clock.advance(1);
    expect(api.openWatches).toBe(1);
  }
  expect(errors).toHaveLength(3);
  await clock.advance(2000);
  api.endWatches();
  await settle();
  // One that has lived ends as all do.
  expect(api.openWatches).toBe(1);
  await end();
});

it("takes a silent watch for dead and goes on where it was", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1));
  const { informer, clock, end } = start(api, { silenceMs: 10_000 });
  await informer.synced;
  await clock.advance(9000);
  api.bookmark(5);
  await clock.advance(9999);
  expect(api.watches).toHaveLength(1);
  await clock.advance(1);
  expect(api.watches.map((watch) => watch.resourceVersion)).toEqual(["1", "5"]);
  expect(api.openWatches).toBe(1);
  await end();
  expect(clock.timers).toBe(0);
});

it("finds children by their owner, also after they changed hands", async () => {
  const api = new FakeApi();
  api.put(owned("a", 1, "o1"));
  api.put(owned("b", 2, "o1"));
  const { informer, end } = start(api);
  await informer.synced;
  await settle();
  const namesOf = (uid: string) => informer.cache.by("owner", uid).map((o) => o.metadata.name);
  expect(namesOf("o1")).toEqual(["a", "b"]);
  api.put(owned("a", 3, "o2"));
  api.remove(owned("b", 4, "o1"));
  await settle();
  expect([namesOf("o1"), namesOf("o2"), namesOf("nobody")]).toEqual([[], ["a"], []]);
  await end();
});

it("keeps no managedFields", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1, { managedFields: [{ manager: "kubectl" }] }));
  const { informer, end } = start(api);
  await informer.synced;
  expect(informer.cache.get({ namespace: "ns", name: "a" })?.metadata).not.toHaveProperty(
    "managedFields",
  );
  await end();
});

it("tells a late listener what is there", async () => {
  const api = new FakeApi();
  api.put(makeWidget("a", 1));
  const { informer, end } = start(api);
  await informer.synced;
  const seen: string[] = [];
  const unsubscribe = informer.subscribe(({ type }) => seen.push(type));
  unsubscribe();
  api.put(makeWidget("a", 2));
  await settle();
  expect(seen).toEqual(["added"]);
  await end();
});
