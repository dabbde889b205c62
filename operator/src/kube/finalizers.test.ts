import { expect, it } from "vitest";
import { makeWidget, widgets } from "../testing/make-object.ts";
import { addFinalizer, hasFinalizer, isBeingDeleted, removeFinalizer } from "./finalizers.ts";
import { controllerOf } from "./owner-reference.ts";

/** Answers a patch as the API server would: with the object patched. */
function makeApi() {
  const patches: unknown[] = [];
  const patch = (async (_kind: unknown, _ref: unknown, body: { metadata: object }) => {
    patches.push(body);
    return {
      ...makeWidget("a", 2),
      metadata: { ...makeWidget("a", 2).metadata, ...body.metadata },
    };
  }) as never;
  return { patches, api: { patch } };
}

it("adds a finalizer beside those of others, to the version that was read", async () => {
  const { api, patches } = makeApi();
  const object = makeWidget("a", 1, { finalizers: ["other"] });
  const after = await addFinalizer(api, widgets, object, "mine");
  expect(hasFinalizer(after, "mine")).toBe(true);
  expect(patches).toEqual([
    { metadata: { uid: "uid-a", resourceVersion: "1", finalizers: ["other", "mine"] } },
  ]);
});

it("removes its own and leaves the others", async () => {
  const { api, patches } = makeApi();
  await removeFinalizer(
    api,
    widgets,
    makeWidget("a", 1, { finalizers: ["other", "mine"] }),
    "mine",
  );
  expect(patches).toMatchObject([{ metadata: { finalizers: ["other"] } }]);
});

it("writes nothing when there is nothing to do", async () => {
  const { api, patches } = makeApi();
  await addFinalizer(api, widgets, makeWidget("a", 1, { finalizers: ["mine"] }), "mine");
  await removeFinalizer(api, widgets, makeWidget("a", 1), "mine");
  expect(patches).toEqual([]);
});

it("sees that an object is being deleted", () => {
  expect(isBeingDeleted(makeWidget("a", 1))).toBe(false);
  expect(isBeingDeleted(makeWidget("a", 1, { deletionTimestamp: "2026-01-01T00:00:00Z" }))).toBe(
    true,
  );
});

it("makes the owner a controller that blocks", () => {
  expect(controllerOf(makeWidget("a", 1))).toEqual({
    apiVersion: "test.dev/v1",
    kind: "Widget",
    name: "a",
    uid: "uid-a",
    controller: true,
    blockOwnerDeletion: true,
  });
});
