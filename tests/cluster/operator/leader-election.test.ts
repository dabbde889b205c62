import { CoreV1Api } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { LibraryProcess } from "../support/library-process.ts";

const leaseMs = 5000;

describe.skipIf(!hasControlPlane)("leader election on a real API server", () => {
  let plane: ControlPlane;
  let core: CoreV1Api;
  beforeAll(async () => {
    plane = await startControlPlane({ nodes: 0 });
    releaseAtEnd(() => plane.stop());
    core = plane.admin().makeApiClient(CoreV1Api);
  });

  async function startTwo(namespace: string) {
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    const candidate = async () => {
      const library = new LibraryProcess(plane.kubeconfig);
      await library.call("lead", { lease: { name: "one", namespace }, leaseMs });
      return library;
    };
    const first = await candidate();
    await first.saidOf("leads");
    return { first, second: await candidate() };
  }

  /** Terms of all writes that arrived, in the order in which they were begun; all clocks are one here. */
  async function terms(namespace: string): Promise<readonly number[]> {
    const { items } = await core.listNamespacedConfigMap({ namespace, labelSelector: "wrote" });
    return items
      .toSorted((a, b) => Number(a.data?.["began"]) - Number(b.data?.["began"]))
      .map((item) => Number(item.data?.["term"]));
  }

  const wrote = (namespace: string, term: number) =>
    waitUntil(`a write of term ${term}`, async () => (await terms(namespace)).includes(term));

  /**
   * No leader began a write after its successor had. When bytes that had left arrive is another matter:
   * a request that was on its way when the process froze may come late, and no lease can help it.
   */
  async function expectNoSplitBrain(namespace: string): Promise<void> {
    const all = await terms(namespace);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
  }

  it("never has two, when the leader is frozen and wakes up in the middle of its work", async () => {
    const { first, second } = await startTwo("frozen");
    for (let round = 0; round < 3; round += 1) {
      // A loaded machine may change the leader by itself: whoever leads now is frozen.
      await waitUntil("one leads", () => isLeading(first) || isLeading(second));
      const [frozen, other] = isLeading(first) ? [first, second] : [second, first];
      await wrote("frozen", termOf(frozen));
      frozen.signal("SIGSTOP");
      const began = other.count("leads");
      await waitUntil("the other leads", () => other.count("leads") > began || isLeading(other));
      await wrote("frozen", termOf(other));
      const endings = frozen.count("follows");
      frozen.signal("SIGCONT");
      await waitUntil("the woken one follows", () => frozen.count("follows") > endings);
    }
    await expectNoSplitBrain("frozen");
  }, 300_000);

  it("has a new leader at once when the old one retires", async () => {
    const { first, second } = await startTwo("retire");
    await first.call("retire");
    await first.saidOf("retired");
    await second.saidOf("leads");
    await wrote("retire", termOf(second));
    await expectNoSplitBrain("retire");
  });

  it("has a new leader when the old one is killed", async () => {
    const { first, second } = await startTwo("killed");
    first.signal("SIGKILL");
    await second.saidOf("leads");
    await wrote("killed", termOf(second));
    await expectNoSplitBrain("killed");
  });

  it("stops leading when the API server is gone for long, and goes on when it is back", async () => {
    const { first, second } = await startTwo("outage");
    await waitUntil("one leads", () => isLeading(first) || isLeading(second));
    await plane.killApiServer();
    await waitUntil("nobody leads", () => !isLeading(first) && !isLeading(second));
    await plane.startApiServer();
    await waitUntil("one leads again", () => isLeading(first) || isLeading(second));
    await expectNoSplitBrain("outage");
  });
});

/** By what it said last. */
const lastOf = (library: LibraryProcess) =>
  library.news.findLast(({ news }) => news === "leads" || news === "follows");
const isLeading = (library: LibraryProcess): boolean => lastOf(library)?.news === "leads";
const termOf = (library: LibraryProcess): number => lastOf(library)?.term ?? -1;
