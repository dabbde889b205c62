import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "./support/cleanup.ts";
import { ConnectProxy } from "./support/connect-proxy.ts";
import {
  command,
  downloadFiles,
  holdAt,
  startFaultBench,
  untilHeldAt,
  type FaultBench,
} from "./support/fault-bench.ts";
import { startGitServer, type GitServer } from "./support/git-server/git-server.ts";
import { BareRepository } from "./support/git-server/repository.ts";
import { promptFor } from "./support/model-server/scenario.ts";
import { expectRecord } from "./support/run-record.ts";
import { SessionHost } from "./support/session-host.ts";
import type { Frame } from "./support/sse.ts";
import { makeTempDir } from "./support/temp.ts";

let bench: FaultBench;
let host: SessionHost;
let git: GitServer;
let repositories: string;

beforeAll(async () => {
  bench = await startFaultBench({ vars: { MAX_ATTEMPTS: "2" } });
  host = await SessionHost.join(bench);
  repositories = await makeTempDir("repositories");
  git = await startGitServer({ root: repositories, user: "robot", password: gitPassword });
  releaseAtEnd(() => git.stop());
});

const gitPassword = "password-of-robot-4711";
const apiToken = "token-of-the-session-4711";

const statusesOf = (frames: readonly Frame[], status: string) =>
  frames.map(({ data }) => data).filter((data) => data["status"] === status);

describe("the runner of a session", () => {
  it("clones, goes on in another pod where the first one died, and pushes, all over a proxy; no secret shows", async () => {
    const shop = new BareRepository(repositories, "private/shop");
    shop.init("README.md", "shop\n");
    const url = "https://git.test/private/shop.git";
    // Names that only the proxy knows: what arrives has gone through it.
    const proxy = await ConnectProxy.start({
      "edge.test": bench.platform.url,
      "model.test": bench.model.url,
      "git.test": git.url,
    });
    const pod = {
      variables: {
        EDGE_URL: "https://edge.test",
        OPENAI_BASE_URL: `https://model.test${new URL(bench.model.url).pathname}`,
        HTTPS_PROXY: proxy.url,
        NO_PROXY: "localhost,.svc",
        NODE_EXTRA_CA_CERTS: proxy.authority,
        SSL_CERT_FILE: proxy.authority,
      },
      env: { MODE: "careful" },
      secrets: {
        git: { ".git-credentials": `https://robot:${gitPassword}@git.test\n` },
        api: { API_TOKEN: apiToken },
      },
    };
    const prompt = promptFor({
      build: [
        command('echo "$MODE $API_TOKEN by ${HTTPS_PROXY%:*}"; echo one >> shop/README.md'),
        holdAt("middle"),
        command("echo two >> shop/README.md"),
        { text: `Done with ${apiToken}.` },
      ],
    });
    const { runId, projectId } = await host.createRun(prompt, [{ url, autoPush: true }]);
    const stream = await bench.api.stream(projectId, runId);
    const first = await host.nextPod(pod);
    await untilHeldAt("middle", { title: "", projectId, runId, stream });
    await first.kill();
    const second = await host.nextPod(pod);
    const frames = await stream.toEnd();
    await expectRecord(bench.api, { projectId, runId }, frames);
    expect(statusesOf(frames, "workspace.repo").map((data) => data["state"])).toEqual([
      "cloning",
      "ready",
      "cloning",
      "ready",
    ]);
    expect(statusesOf(frames, "workspace.pushed")).toMatchObject([
      { outcome: "pushed", url, path: "shop", branch: "main" },
    ]);
    expect(shop.read("README.md")).toBe("shop\none\ntwo");
    expect(shop.commits()).toEqual([`chore(agent): apply run ${runId}`, "by the host"]);
    const files = await downloadFiles(bench.api, { title: "", projectId, runId, stream });
    expect(files.get("shop/README.md")).toBe("shop\none\ntwo\n");
    expect((await second.exited).code).toBe(0);
    const seen = JSON.stringify([frames, await first.log(), await second.log()]);
    expect(seen).toContain("careful [redacted] by http://127.0.0.1");
    expect(seen).not.toContain(ConnectProxy.password);
    expect(new Set(proxy.asked)).toEqual(
      new Set(["edge.test:443", "model.test:443", "git.test:443"]),
    );
    expect(seen).toContain("Done with [redacted].");
    expect(seen).not.toContain(apiToken);
    expect(seen).not.toContain(gitPassword);
    // Two runners start one after the other, and the first one's lease runs out in between.
  }, 240_000);

  it("says which repository could not be cloned, and ends with the code for that", async () => {
    const url = `${git.url}/private/nowhere.git`;
    const { runId, projectId } = await host.createRun(promptFor({}), [{ url }]);
    for (const attempt of [1, 2]) {
      const pod = await host.nextPod();
      expect((await pod.exited).code, `attempt ${attempt}`).toBe(3);
    }
    const run = await bench.api.waitForEnd(projectId, runId);
    expect(run).toMatchObject({ status: "error", meta: { errorCode: "repository_failed" } });
    expect(run.error).toContain(`${url} could not be cloned: it needs credentials`);
  });
});
