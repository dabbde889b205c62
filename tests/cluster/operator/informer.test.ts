import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { LibraryProcess } from "../support/library-process.ts";
import { WriteProxy } from "../support/write-proxy.ts";

describe.skipIf(!hasControlPlane)("the informer on a real API server", () => {
  let plane: ControlPlane;
  let core: CoreV1Api;
  beforeAll(async () => {
    plane = await startControlPlane({ nodes: 0 });
    releaseAtEnd(() => plane.stop());
    core = plane.admin().makeApiClient(CoreV1Api);
  });

  async function prepare(namespace: string, names: readonly string[]): Promise<void> {
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    for (const name of names) await create(namespace, name);
  }
  const create = (namespace: string, name: string) =>
    core.createNamespacedConfigMap({ namespace, body: { metadata: { name } } });
  const remove = (namespace: string, name: string) =>
    core.deleteNamespacedConfigMap({ namespace, name });

  /** What is really there, by the API. */
  async function stored(namespace: string): Promise<readonly string[]> {
    const { items } = await core.listNamespacedConfigMap({ namespace });
    return items.map((item) => `${namespace}/${item.metadata?.name}`).toSorted();
  }

  async function expectSame(library: LibraryProcess, namespace: string): Promise<void> {
    await expect
      .poll(() => library.call("cached"), { timeout: 45_000 })
      .toEqual({ ok: true, value: await stored(namespace) });
  }

  /** One answer to a list, as it stands. */
  async function page(namespace: string, query: string) {
    const path = `/api/v1/namespaces/${namespace}/configmaps?${query}`;
    const { stdout } = await plane.kubectl("get", `--raw=${path}`);
    const list = JSON.parse(stdout) as {
      readonly metadata: { readonly continue?: string };
      readonly items: readonly unknown[];
    };
    return { count: list.items.length, isLast: (list.metadata.continue ?? "") === "" };
  }

  it("lists, in pages or in one, and follows what happens", async () => {
    await prepare("pages", ["a", "b", "c", "d", "e"]);
    expect(await page("pages", "limit=2")).toEqual({ count: 2, isLast: false });
    // What the first list has to cope with: version 0 is answered from the server's cache, whatever the limit.
    const atOnce = () => page("pages", "limit=2&resourceVersion=0");
    await expect.poll(atOnce).toMatchObject({ isLast: true });
    await expect.poll(async () => (await atOnce()).count).toBeGreaterThanOrEqual(5);
    const library = new LibraryProcess(plane.kubeconfig);
    await library.call("watch", { namespace: "pages", pageSize: 2 });
    await library.saidOf("synced");
    await expectSame(library, "pages");
    await remove("pages", "a");
    await create("pages", "f");
    await library.saidOf("deleted", "a");
    await library.saidOf("added", "f");
    await expectSame(library, "pages");
  });

  it("goes on when the API server was killed and started again", async () => {
    await prepare("restart", ["a", "b"]);
    const library = new LibraryProcess(plane.kubeconfig);
    await library.call("watch", { namespace: "restart" });
    await library.saidOf("synced");
    await plane.killApiServer();
    await library.saidOf("trouble");
    await plane.startApiServer();
    await remove("restart", "a");
    await create("restart", "c");
    await library.saidOf("deleted", "a");
    await library.saidOf("added", "c");
    await expectSame(library, "restart");
  });

  it("notices a watch that has fallen silent without a word, and misses nothing", async () => {
    await prepare("silent", ["a"]);
    const server = new WriteProxy(plane.admin(), async () => true);
    const network = await TcpProxy.start(await server.listen());
    releaseAtEnd(() => server.close());
    let isSilent = true;
    network.fateOf = (line) => {
      if (!isSilent) return "pass";
      // A watch goes over the list's connection, behind its answer, or over one of its own.
      return line.includes("watch=true") ? "lose_requests" : "lose_messages";
    };
    const config = new KubeConfig();
    const cluster = { name: "proxy", server: network.url, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: "nobody" });
    const library = new LibraryProcess(await plane.writeKubeconfig("silent", config));
    await library.call("watch", { namespace: "silent", silenceMs: 3000 });
    await library.saidOf("synced");
    await create("silent", "b");
    await waitUntil("its news are lost", () => network.losses > 0);
    isSilent = false;
    await library.saidOf("added", "b");
    await expectSame(library, "silent");
  });

  it("misses no delete when the server has forgotten the history meanwhile", async () => {
    await prepare("gone", ["kept", "deleted", "reborn"]);
    const library = new LibraryProcess(plane.kubeconfig);
    // The list after the gap is not of version 0, so it comes in pages.
    await library.call("watch", { namespace: "gone", pageSize: 2 });
    await library.saidOf("synced");
    library.signal("SIGSTOP");
    // The connection must be dead before anything changes, or the change waits in its buffer.
    await plane.killApiServer();
    await plane.startApiServer();
    await remove("gone", "deleted");
    await remove("gone", "reborn");
    await create("gone", "reborn");
    await create("gone", "new");
    // A fresh server's cache begins now, so a watch from before is answered by 410.
    await plane.restartApiServer();
    library.signal("SIGCONT");
    await library.saidOf("deleted", "deleted");
    await library.saidOf("deleted", "reborn");
    await library.saidOf("added", "new");
    expect(library.count("relisted")).toBeGreaterThan(0);
    await expectSame(library, "gone");
    const ofReborn = library.news.filter(({ name }) => name === "reborn").map(({ news }) => news);
    expect(ofReborn).toEqual(["added", "deleted", "added"]);
  });
});
