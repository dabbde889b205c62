import { join } from "node:path";
import { CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import type { AgenticSession } from "@millrace/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../support/build-paths.ts";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { ConnectProxy } from "../../support/connect-proxy.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";

const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
const kind = { group: "millrace.dev", version: "v1alpha1", plural: "agenticsessions" };
const namespace = "default";
const inCluster = { url: "http://proxy.example.com:3128", noProxy: ".svc" };

/** No field of a session is ignored: it does something, or the API server refuses it. */
describe.skipIf(!hasControlPlane)("the spec of a session", () => {
  let plane: ControlPlane;
  let operator: OperatorProcess;
  /** The way to the edge; nobody else knows its name. */
  let proxy: ConnectProxy;
  const pool = new ScriptedPool();

  const objects = () => plane.admin().makeApiClient(CustomObjectsApi);
  const create = (name: string, spec: Record<string, unknown> = {}) =>
    objects().createNamespacedCustomObject({
      ...kind,
      namespace,
      body: {
        apiVersion: "millrace.dev/v1alpha1",
        kind: "AgenticSession",
        metadata: { name },
        spec: { prompt: "do it", ...spec },
      },
    });
  const read = async (name: string) =>
    (await objects().getNamespacedCustomObject({ ...kind, namespace, name })) as AgenticSession;
  const patch = (name: string, spec: object) =>
    plane.kubectl("patch", "ags", name, "--type=merge", "-p", JSON.stringify({ spec }));

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    await plane.kubectl("apply", "-f", definition);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    const here = await pool.listen();
    releaseAtEnd(() => pool.close());
    proxy = await ConnectProxy.start({ "edge.test": here });
    operator = new OperatorProcess(plane, {
      edgeUrl: "https://edge.test",
      sessions: {
        proxy: inCluster,
        networkPolicies: false,
        podAnnotations: { "test/run-for": "1h" },
      },
      // The API server's name is not among those that are reached without it.
      env: { HTTPS_PROXY: proxy.url, NO_PROXY: ".svc", NODE_EXTRA_CA_CERTS: proxy.authority },
    });
    await operator.start();
    releaseAtEnd(() => operator.kill());
  });

  const repo = { url: "https://git.example.com/acme/shop.git" };

  const mcp = { url: "https://mcp.example.com/mcp" };
  const manyServers = Array.from({ length: 33 }, (_, at) => [`s${at}`, mcp]);
  const withHeader = (changes: object) => ({
    ...mcp,
    headers: [{ name: "Authorization", secret: "docs", key: "token", ...changes }],
  });

  it.each([
    ["content or finish", { messages: [{ id: "a" }] }],
    ["content or finish", { messages: [{ id: "a", content: "x", finish: true }] }],
    ["messages[1]", { messages: ["x", "y"].map((content) => ({ id: "a", content })) }],
    ["runnerType", { runnerType: "juggling" }],
    ["displayName", { displayName: "n".repeat(300) }],
    ["threadId", { threadId: "n".repeat(300) }],
    ["names of mcpServers", { mcpServers: { "the docs": mcp } }],
    ["spec.mcpServers", { mcpServers: Object.fromEntries(manyServers) }],
    ["mcpServers.docs.url", { mcpServers: { docs: { url: "http://mcp.example.com" } } }],
    ["mcpServers.docs.url", { mcpServers: { docs: { url: "https://a:b@mcp.example.com" } } }],
    ["mcpServers.docs.url", { mcpServers: { docs: { command: "npx" } } }],
    ["mcpServers.docs.tools", { mcpServers: { docs: { ...mcp, tools: [] } } }],
    ["mcpServers.docs.timeoutSeconds", { mcpServers: { docs: { ...mcp, timeoutSeconds: 0 } } }],
    ["headers[0].name", { mcpServers: { docs: withHeader({ name: "no colon:" }) } }],
    ["of the protocol", { mcpServers: { docs: withHeader({ name: "Mcp-Session-Id" }) } }],
    ["one of secretRefs", { mcpServers: { docs: withHeader({}) } }],
    ["one of secretRefs", { mcpServers: { docs: withHeader({}) }, secretRefs: ["git"] }],
    ["PATH, HOME", { env: { PATH: "/bin" } }],
    ["MILLRACE_", { env: { MILLRACE_RUN_ID: "x" } }],
    ["repos[0].url", { repos: [{ url: "git@github.com:acme/shop.git" }] }],
    ["repos[0].url", { repos: [{ url: "http://git.example.com/shop" }] }],
    ["repos[0].url", { repos: [{ url: "https://user:pass@git.example.com/shop" }] }],
    ["workflow.gitUrl", { workflow: { gitUrl: "file:///etc" } }],
    ["workflow.path", { workflow: { gitUrl: repo.url, path: "../up" } }],
    ["model.temperature", { model: { name: "m", temperature: 3 } }],
  ])("is refused for %s %j", async (named, spec) => {
    await expect(create("refused", spec)).rejects.toThrow(named);
  });

  it("cannot change where the run has begun with it", async () => {
    await create("fixed", { repos: [repo], model: { name: "m" } });
    await create("bare");
    await create("said", { messages: [{ id: "a", content: "x" }] });
    const another = { url: "https://git.example.com/acme/other.git" };
    await expect(patch("fixed", { repos: [another] })).rejects.toThrow(/repos cannot be changed/);
    await expect(patch("fixed", { model: { name: "n" } })).rejects.toThrow(/model cannot be/);
    await expect(patch("fixed", { timeoutSeconds: 1 })).rejects.toThrow(/timeoutSeconds cannot/);
    await expect(patch("bare", { interactive: true })).rejects.toThrow(/interactive cannot/);
    await expect(patch("bare", { stopOnRunFinished: false })).rejects.toThrow(/stopOnRunFinished/);
    const other = { messages: [{ id: "a", content: "y" }] };
    await expect(patch("said", other)).rejects.toThrow(/message cannot be changed/);
    await expect(patch("bare", { repos: [repo] })).rejects.toThrow(/repos cannot be added/);
  });

  it("reaches the runner: what the claim does not bring stands in the pod's environment", async () => {
    const workflow = { gitUrl: repo.url, branch: "main", path: "flows/fix" };
    const model = { name: "m", temperature: 0.5, maxTokens: 100 };
    const mcpServers = { docs: withHeader({ prefix: "Bearer " }), open: mcp };
    const secret = {
      metadata: { name: "docs", labels: { "millrace.dev/session-secret": "true" } },
    };
    const core = plane.admin().makeApiClient(CoreV1Api);
    await core.createNamespacedSecret({ namespace, body: secret });
    const more = { mcpServers, secretRefs: ["docs"] };
    await create("told", { workflow, model, repos: [{ ...repo, autoPush: true }], ...more });
    await waitUntil("it has a run", () => pool.runOf("told") !== undefined);
    const runId = pool.runOf("told")?.runId ?? "";
    expect(pool.runs.get(runId)?.body.repos).toEqual([{ ...repo, branch: null, autoPush: true }]);
    pool.start(runId);
    await waitUntil("it has a pod", async () => {
      const { items } = await core.listNamespacedPod({ namespace });
      const pod = items.find(({ metadata }) => metadata?.name?.startsWith("told-1"));
      if (!pod) return false;
      const variables = pod.spec?.containers[0]?.env?.map(({ name, value }) => [name, value]);
      expect(Object.fromEntries(variables ?? [])).toMatchObject({
        MILLRACE_WORKFLOW: JSON.stringify(workflow),
        HTTPS_PROXY: inCluster.url,
        NO_PROXY: inCluster.noProxy,
        AGENT_TEMPERATURE: "0.5",
        AGENT_MAX_TOKENS: "100",
        MILLRACE_MCP_FILE: "/run/millrace/session/mcp.json",
      });
      return true;
    });
    const { items } = await core.listNamespacedSecret({ namespace });
    const own = items.find(({ metadata }) => metadata?.name?.startsWith("told-1"));
    const given = Buffer.from(own?.data?.["mcp.json"] ?? "", "base64").toString("utf8");
    const defaults = { timeoutSeconds: 60, optional: false };
    expect(JSON.parse(given)).toEqual({
      docs: { ...mcpServers.docs, ...defaults },
      open: { ...mcp, ...defaults },
    });
  });

  it("comes to the edge over the proxy, and to the API server without it", () => {
    expect(pool.status).toMatchObject({ leader: true });
    expect(new Set(proxy.asked)).toEqual(new Set(["edge.test:443"]));
  });

  it("stops a session that is silent for too long, and none in which something happens", async () => {
    await create("silent", { inactivityTimeoutSeconds: 1 });
    await waitUntil("it has a run", () => pool.runOf("silent") !== undefined);
    const runId = pool.runOf("silent")?.runId ?? "";
    pool.busy.add(runId);
    pool.start(runId);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    // Each time that its news are a second old the platform is asked for newer ones.
    const looks = () => pool.looks.get(runId) ?? 0;
    await waitUntil("it was looked at a few times", () => looks() > 3);
    expect(pool.runOf("silent")?.stopping).toBe(false);
    pool.busy.delete(runId);
    await waitUntil("it is asked to stop", () => pool.runOf("silent")?.stopping === true);
    await waitUntil(
      "it says why",
      async () => (await read("silent")).status?.reason === "Inactive",
    );
  });

  it("waits for the pool's token that its operator's Secret has by then, and fails nothing meanwhile", async () => {
    const cluster = new SessionCluster(plane, pool);
    const runId = await cluster.running("before");
    // The edge is the first to change it.
    pool.changeToken("pool-token-2");
    await cluster.create("meanwhile");
    await waitUntil("its run is asked for, and asked for again", () => pool.refused >= 2);
    expect((await cluster.read("meanwhile")).status?.phase ?? "Pending").toBe("Pending");
    operator.replacePoolToken("pool-token-2");
    await waitUntil("it has a run", () => pool.runOf("meanwhile") !== undefined);
    await cluster.end("before", 1, "Error");
    await waitUntil("a report arrives over its socket", () => pool.reportsOf(runId).length === 1);
    pool.change(runId, { status: "failed", completedAt: Date.now() });
  });

  it("makes no network policies where the values want none", async () => {
    const { stdout } = await plane.kubectl("get", "networkpolicies", "-A", "-o", "name");
    expect(stdout).toBe("");
  });
});
