import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { startModelServer } from "../../support/model-server/model-server.ts";
import { type Platform, startPlatform } from "../../support/platform.ts";
import { expectWhole } from "../../support/run-record.ts";
import { nameOf } from "../../support/sse.ts";
import { unzip } from "../../support/zip.ts";
import { chart, helm, setFlags } from "../support/helm.ts";
import { archiveOf, nodeValues, type RealNode, startRealNode } from "../support/real-node.ts";

const namespace = "agents";

/** The image as it is built, in a pod that a kubelet runs, for an edge outside. */
describe("runners that the chart installs", () => {
  let node: RealNode;
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform();
    const model = await startModelServer();
    releaseAtEnd(() => model.stop());
    node = await startRealNode();
    releaseAtEnd(() => node.stop());
    await node.importImage(archiveOf("runner"));
    const kubectl = (...args: readonly string[]) => node.kubectl(...args);
    await kubectl("create", "namespace", namespace);
    const level = "pod-security.kubernetes.io/enforce=restricted";
    await kubectl("label", "namespace", namespace, level);
    const secret = ["-n", namespace, "create", "secret", "generic"];
    await kubectl(...secret, "millrace-pool", `--from-literal=token=${platform.poolToken}`);
    const key = "--from-literal=OPENAI_API_KEY=sk-test-of-nobody";
    await kubectl(...secret, "millrace-providers", key);
    const modelUrl = await node.expose(model.url);
    const values = {
      ...nodeValues(modelUrl),
      "edge.url": await node.expose(platform.url),
      "pool.tokenSecret": "millrace-pool",
      "pool.providerSecret": "millrace-providers",
      "sessions.enabled": false,
      "runners.env.OPENAI_BASE_URL": modelUrl,
      "runners.env.OPENAI_MODEL": "gpt-5",
    };
    const flags = [...setFlags(values), "--namespace", namespace, "--wait", "--timeout", "300s"];
    await helm(["install", "millrace", chart, ...flags], { KUBECONFIG: node.kubeconfig });
  });

  it("reach the edge, as helm test finds", async () => {
    const test = ["test", "millrace", "--namespace", namespace, "--timeout", "120s"];
    const { stdout } = await helm(test, { KUBECONFIG: node.kubeconfig });
    expect(stdout).toMatch(/Phase:\s+Succeeded/);
  });

  it("execute a run and archive its workspace", async () => {
    const { api } = platform;
    const project = await api.createProject();
    const { runId, stream } = await api.streamRun(project, { prompt: "count words" });
    const frames = await stream.toEnd();
    expectWhole(frames);
    expect(frames.map(nameOf).at(-1)).toBe("done");
    const archive = await api.fetch("GET", `/v1/projects/${project}/runs/${runId}/download.zip`);
    const files = await unzip(Buffer.from(await archive.arrayBuffer()));
    expect(files.size).toBeGreaterThan(0);
  });

  it("run as nobody, on a file system that they cannot change, without a token", async () => {
    const look =
      "try{fs.writeFileSync('/x','');console.log('written')}catch(e){console.log(e.code)};" +
      "console.log(process.getuid(),fs.existsSync('/var/run/secrets/kubernetes.io'))";
    const exec = ["-n", namespace, "exec", "deployment/millrace-runner", "--", "node", "-e", look];
    const { stdout } = await node.kubectl(...exec);
    expect(stdout).toBe("EROFS\n65532 false\n");
  });

  it("hand their run to the next when a rollout replaces them", async () => {
    const { api } = platform;
    const project = await api.createProject();
    const { stream } = await api.streamRun(project, { prompt: "count words" });
    await node.kubectl("-n", namespace, "rollout", "restart", "deployment/millrace-runner");
    const frames = await stream.toEnd();
    expectWhole(frames);
    expect(frames.map(nameOf).at(-1)).toBe("done");
    const status = ["rollout", "status", "deployment/millrace-runner", "--timeout=120s"];
    await node.kubectl("-n", namespace, ...status);
  });
});
