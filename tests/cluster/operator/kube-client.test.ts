import { CoreV1Api, EventsV1Api } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { LibraryProcess } from "../support/library-process.ts";

const at = (name: string, namespace = "default") => ({ name, namespace });

describe.skipIf(!hasControlPlane)("writing to a real API server", () => {
  let plane: ControlPlane;
  let core: CoreV1Api;
  let library: LibraryProcess;
  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    core = plane.admin().makeApiClient(CoreV1Api);
    library = new LibraryProcess(plane.kubeconfig);
  });

  const share = (manager: string, data: object, force = false) =>
    library.call("apply", { metadata: at("shared"), data, manager, force });
  const apply = (name: string, namespace: string, more: object = {}) =>
    library.call("apply", { metadata: at(name, namespace), data: {}, force: true, ...more });
  const told = (times: number, note: string) =>
    library.call("record", { ref: at("eventful"), times, reason: "Tested", note });

  it("applies its own fields, is told of conflicts, and takes fields over only by force", async () => {
    expect(await share("one", { a: "1", b: "1" })).toMatchObject({ ok: true });
    expect(await share("two", { c: "2" })).toMatchObject({
      value: { data: { a: "1", b: "1", c: "2" } },
    });
    expect(await share("two", { a: "2", c: "2" })).toMatchObject({ ok: false, reason: "conflict" });
    expect(await share("two", { a: "2", c: "2" }, true)).toMatchObject({
      value: { data: { a: "2", b: "1", c: "2" } },
    });
    // What a manager leaves out is gone, unless another has it too.
    expect(await share("one", { b: "9" })).toMatchObject({
      value: { data: { a: "2", b: "9", c: "2" } },
    });
    expect(await share("two", {})).toMatchObject({ value: { data: { b: "9" } } });
  });

  it("applies a status without touching the rest", async () => {
    const container = { name: "main", image: "localhost/none:1" };
    const body = {
      metadata: { name: "reported" },
      spec: { nodeName: "nowhere", containers: [container] },
    };
    await core.createNamespacedPod({ namespace: "default", body });
    const status = { message: "seen" };
    const reply = await library.call("applyStatus", { ref: at("reported"), status });
    expect(reply).toMatchObject({ ok: true, value: { status: { message: "seen" } } });
    const missing = await library.call("applyStatus", { ref: at("missing"), status });
    expect(missing).toMatchObject({ ok: false, reason: "not_found" });
  });

  it("keeps an object until its finalizer is removed, and leaves those of others", async () => {
    const ref = at("finalized");
    const body = { metadata: { name: "finalized", finalizers: ["test.dev/other"] } };
    await core.createNamespacedConfigMap({ namespace: "default", body });
    await library.call("addFinalizer", { ref, finalizer: "test.dev/mine" });
    expect(await library.call("delete", { ref })).toEqual({ ok: true, value: true });
    const removed = await library.call("removeFinalizer", { ref, finalizer: "test.dev/mine" });
    expect(removed).toMatchObject({ value: { metadata: { finalizers: ["test.dev/other"] } } });
    await library.call("removeFinalizer", { ref, finalizer: "test.dev/other" });
    expect(await library.call("delete", { ref })).toEqual({ ok: true, value: false });
  });

  it("deletes only the incarnation that it was told", async () => {
    const body = { metadata: { name: "reborn" } };
    const { metadata } = await core.createNamespacedConfigMap({ namespace: "default", body });
    const other = await library.call("delete", { ref: at("reborn"), uid: "not-this-one" });
    expect(other).toMatchObject({ ok: false, reason: "conflict" });
    const same = await library.call("delete", { ref: at("reborn"), uid: metadata?.uid });
    expect(same).toEqual({ ok: true, value: true });
  });

  it("knows why it was refused", async () => {
    expect(await apply("Not_A_Name", "default")).toMatchObject({ reason: "invalid" });
    expect(await apply("a", "no-such-namespace")).toMatchObject({ reason: "not_found" });
    expect(await apply("a", "default", { user: "bob" })).toMatchObject({ reason: "forbidden" });

    await core.createNamespace({ body: { metadata: { name: "full" } } });
    const quota = { metadata: { name: "none" }, spec: { hard: { "count/configmaps": "0" } } };
    await core.createNamespacedResourceQuota({ namespace: "full", body: quota });
    await expect
      .poll(() => apply(`q-${Date.now()}`, "full"), { timeout: 45_000 })
      .toMatchObject({ reason: "quota" });

    const body = { metadata: { name: "stays", finalizers: ["test.dev/stays"] } };
    await core.createNamespace({ body: { metadata: { name: "ending" } } });
    await core.createNamespacedConfigMap({ namespace: "ending", body });
    await core.deleteNamespace({ name: "ending" });
    expect(await apply("late", "ending")).toMatchObject({ reason: "namespace_terminating" });

    await plane.killApiServer();
    expect(await apply("a", "default")).toMatchObject({ reason: "unavailable" });
    await plane.startApiServer();
  });

  it("makes one Event of many, with a count that the next recorder goes on counting", async () => {
    const events = plane.admin().makeApiClient(EventsV1Api);
    await core.createNamespacedConfigMap({
      namespace: "default",
      body: { metadata: { name: "eventful" } },
    });
    const listed = async () => {
      const { items } = await events.listNamespacedEvent({ namespace: "default" });
      return items
        .filter((event) => event.regarding?.name === "eventful")
        .map((event) => `${event.series?.count ?? 1} x ${event.note}`)
        .toSorted((a, b) => a.localeCompare(b));
    };
    expect(await told(1, "once")).toEqual({ ok: true, value: [] });
    expect(await listed()).toEqual(["1 x once"]);
    expect(await told(7, "once")).toEqual({ ok: true, value: [] });
    expect(await told(1, "once")).toEqual({ ok: true, value: [] });
    expect(await told(3, "often")).toEqual({ ok: true, value: [] });
    expect(await listed()).toEqual(["3 x often", "9 x once"]);
    const { stdout } = await plane.kubectl("describe", "configmap", "eventful");
    expect(stdout).toMatch(/Warning\s+Tested\s+.*x9 over .*once/);
  });
});
