import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { binary, hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";

const run = promisify(execFile);

/** Neither an image nor a log comes out of kwok, and nobody answers at the edge's front. */
const leftOut = /^(npm run image|docker push|helm test|kubectl .* logs|curl) /;

/** The commands under a heading of the guide, as a newcomer copies them. */
async function commandsUnder(heading: string, edgeUrl: string): Promise<string> {
  const guide = await readFile(join(checkout, "docs/guides/cluster.md"), "utf8");
  const after = guide.slice(guide.indexOf(`\n## ${heading}\n`) + 1);
  const [section = ""] = /^.*\n[^]*?(?=\n##)/.exec(after) ?? [];
  const blocks = [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block = ""]) => block);
  const lines = blocks
    .join("")
    .split("\n")
    .filter((line) => !leftOut.test(line));
  return lines.join("\n").replaceAll("https://edge.example.com", edgeUrl);
}

describe.skipIf(!hasControlPlane)("the guide", () => {
  let plane: ControlPlane;
  let edgeUrl: string;
  const pool = new ScriptedPool();

  const bash = (script: string) =>
    run("bash", ["-ec", script], {
      cwd: checkout,
      env: {
        PATH: [dirname(binary("kubectl")), process.env["PATH"]].join(delimiter),
        HOME: plane.directory,
        KUBECONFIG: plane.kubeconfig,
        POOL_TOKEN: "pool-token",
        OPENAI_API_KEY: "a-provider-key",
      },
    });

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
  });

  it("leads from nothing to a session that is Completed", async () => {
    await bash(await commandsUnder("Install", edgeUrl));
    const operator = new OperatorProcess(plane, {
      edgeUrl,
      kubeconfig: await plane.writeKubeconfig(
        "operator",
        await plane.serviceAccount("millrace", "millrace-operator"),
      ),
      sessions: { ...(await settings()), podAnnotations: { "test/run-for": "1h" } },
      env: { POD_NAMESPACE: "millrace", LEASE_NAME: "millrace-operator" },
    });
    await operator.start();
    releaseAtEnd(() => operator.kill());

    // The guide's table names this one; a person is slower.
    const probe = join(plane.directory, "probe.json");
    const metadata = { name: "probe", namespace: "millrace" };
    const session = { apiVersion: "millrace.dev/v1alpha1", kind: "AgenticSession", metadata };
    await writeFile(probe, JSON.stringify({ ...session, spec: { prompt: "hello" } }));
    await waitUntil("sessions are admitted", () =>
      plane.kubectl("create", "--dry-run=server", "-f", probe).then(
        () => true,
        () => false,
      ),
    );
    const commands = bash(await commandsUnder("Sessions", edgeUrl));
    const [{ stdout }] = await Promise.all([commands, execute("fix-login")]);
    expect(stdout).toContain("agenticsession.millrace.dev/fix-login condition met");
  });

  async function settings(): Promise<Readonly<Record<string, unknown>>> {
    const path = String.raw`jsonpath={.data.sessions\.json}`;
    const of = ["-n", "millrace", "get", "configmap", "millrace-operator", "-o", path];
    return JSON.parse((await plane.kubectl(...of)).stdout) as Record<string, unknown>;
  }

  /** In place of the platform and of kubelet; the pod has to pass Pod Security first. */
  async function execute(name: string): Promise<void> {
    await waitUntil("the session has a run", () => pool.runOf(name) !== undefined);
    const { runId } = pool.runOf(name) ?? { runId: "" };
    pool.start(runId);
    await waitUntil("its pod runs", async () => {
      const pods = ["-n", "agents", "get", "pods", "-o", "jsonpath={.items[*].status.phase}"];
      return (await plane.kubectl(...pods)).stdout === "Running";
    });
    pool.change(runId, { status: "running", startedAt: Date.now() });
    pool.change(runId, { status: "succeeded", completedAt: Date.now() });
  }
});
