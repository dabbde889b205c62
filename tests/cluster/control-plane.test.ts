import { BatchV1Api, CoreV1Api } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../support/cleanup.ts";
import { findProcesses } from "../support/processes.ts";
import { hasControlPlane } from "./support/binaries.ts";
import { type ControlPlane, startControlPlane } from "./support/control-plane.ts";

/** What the other suites build upon: the harness itself, against a real API server. */
describe.skipIf(!hasControlPlane)("the control plane of the tests", () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
  });

  it("runs a Job's pod on a fake node", async () => {
    const batch = plane.admin().makeApiClient(BatchV1Api);
    const template = {
      spec: { restartPolicy: "Never", containers: [{ name: "main", image: "localhost/none:1" }] },
    };
    await batch.createNamespacedJob({
      namespace: "default",
      body: { metadata: { name: "short" }, spec: { template } },
    });
    await plane.kubectl("wait", "--for=condition=Complete", "job/short", "--timeout=60s");
    const job = await batch.readNamespacedJob({ namespace: "default", name: "short" });
    expect(job.status?.succeeded).toBe(1);
  });

  it("knows people by their tokens, and lets nobody do what RBAC does not say", async () => {
    const alice = plane.person("alice").makeApiClient(CoreV1Api);
    await expect(alice.listNamespacedPod({ namespace: "default" })).rejects.toMatchObject({
      code: 403,
    });
    await plane.kubectl(
      "create",
      "clusterrolebinding",
      "dev",
      "--clusterrole=view",
      "--group=developers",
    );
    await expect
      .poll(
        () => alice.listNamespacedPod({ namespace: "default" }).then((all) => all.items.length),
        {
          timeout: 20_000,
        },
      )
      .toBe(1);
  });

  it("keeps its objects when the API server is killed and started again", async () => {
    const core = plane.admin().makeApiClient(CoreV1Api);
    await core.createNamespace({ body: { metadata: { name: "kept" } } });
    await plane.killApiServer();
    await expect(core.readNamespace({ name: "kept" })).rejects.toThrow("fetch failed");
    await plane.startApiServer();
    await plane.restartApiServer();
    expect((await core.readNamespace({ name: "kept" })).metadata?.name).toBe("kept");
  });

  it("leaves no process behind", async () => {
    const other = await startControlPlane({ nodes: 0 });
    const port = `--secure-port=${new URL(other.server).port}`;
    const living = () => [...findProcesses(other.directory), ...findProcesses(port)];
    await other.restartApiServer();
    expect(living()).not.toEqual([]);
    await other.stop();
    // Killed, but the kernel takes a moment to take their memory back.
    await expect.poll(living, { timeout: 30_000 }).toEqual([]);
  });
});
