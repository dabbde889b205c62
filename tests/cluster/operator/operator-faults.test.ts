import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";
import { SessionHistory } from "../support/session-history.ts";
import { type Moment, type Write, WriteProxy } from "../support/write-proxy.ts";

const patienceMs = 240_000;
/** A plain life may have as many (bar of the benchmark). */
const mostStatusWrites = 8;

const statusIn = ({ body }: Write): Record<string, unknown> =>
  (JSON.parse(body) as { readonly status?: Record<string, unknown> }).status ?? {};
const isStatusOf = (name: string, { path }: Write): boolean =>
  path.endsWith(`/agenticsessions/${name}/status`);

/** A write of each of these sessions is on its way when its sender is frozen, and arrives when another leads. */
const late: Readonly<Record<string, (write: Write) => boolean>> = {
  "late-job": ({ path }) => path.endsWith("/jobs/late-job-1"),
  "late-secret": ({ path }) => path.endsWith("/secrets/late-secret-1"),
  "late-status": (write) =>
    isStatusOf("late-status", write) && statusIn(write)["phase"] === "Running",
  "late-report": (write) =>
    isStatusOf("late-report", write) && statusIn(write)["reports"] !== undefined,
};
const names = Object.keys(late);

const leads = async (operator: OperatorProcess): Promise<boolean> =>
  (await operator.probe("/metrics"))?.includes("millrace_leader 1\n") ?? false;
const follows = async (operator: OperatorProcess): Promise<boolean> =>
  (await operator.probe("/metrics"))?.includes("millrace_leader 0\n") ?? false;

/** One control plane, one platform, two operators; the faults come one after the other. */
describe.skipIf(!hasControlPlane)("sessions through the faults of their operator", () => {
  let plane: ControlPlane;
  let cluster: SessionCluster;
  let history: SessionHistory;
  let first: OperatorProcess;
  let second: OperatorProcess;
  /** Does not mind how slow the machine is. */
  let third: OperatorProcess;
  /** On the first operator's way to the API server. */
  let network: TcpProxy;
  const pool = new ScriptedPool((runId) => pool.start(runId));
  const held = new Set<string>();
  const arrived = new Set<string>();
  const thawed = Promise.withResolvers<void>();
  const statusWrites = new Map<string, number>();

  async function hold(write: Write, moment: Moment): Promise<boolean> {
    const name = names.find((one) => late[one]?.(write));
    if (name === undefined) return true;
    if (moment === "after") arrived.add(name);
    if (moment === "after" || held.has(name)) return true;
    held.add(name);
    await thawed.promise;
    return true;
  }

  function count(write: Write, moment: Moment): void {
    const [, name] = /\/agenticsessions\/([^/]+)\/status$/.exec(write.path) ?? [];
    if (name === undefined || moment === "before") return;
    statusWrites.set(name, (statusWrites.get(name) ?? 0) + 1);
  }

  /** Its runner connects as soon as there is a pod. */
  async function connected(name: string, attempt = 1): Promise<void> {
    await cluster.untilRun(name);
    await cluster.until(`${name} has Job ${attempt}`, async () =>
      (await cluster.jobsOf(name)).some(({ metadata }) => metadata?.name === `${name}-${attempt}`),
    );
    await cluster.untilPod(name);
    pool.change(runOf(name), { status: "running", startedAt: Date.now() });
  }

  /** After the pod was killed for its memory: the platform asks for the next attempt. */
  async function triedAgain(name: string): Promise<void> {
    const runId = runOf(name);
    await cluster.until(`${name} is reported`, () => pool.reportsOf(runId).length > 0);
    pool.change(runId, { status: "queued", failures: 1 });
    await cluster.untilGone(name);
    pool.start(runId);
    await connected(name, 2);
    await cluster.untilPhase(name, "Running");
  }

  async function completed(name: string): Promise<void> {
    pool.change(runOf(name), { status: "succeeded", completedAt: Date.now() });
    await cluster.untilPhase(name, "Completed");
  }

  const runOf = (name: string): string => pool.runOf(name)?.runId ?? "";

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    cluster = new SessionCluster(plane, pool, { forMs: patienceMs, restMs: 500 });
    await cluster.define();
    const edgeUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    history = await SessionHistory.begin(plane.admin());
    const proxy = new WriteProxy(plane.admin(), async (write, moment) => {
      count(write, moment);
      return hold(write, moment);
    });
    network = await TcpProxy.start(await proxy.listen());
    releaseAtEnd(() => proxy.close());
    const config = new KubeConfig();
    const server = { name: "proxy", server: network.url, skipTLSVerify: true };
    config.loadFromClusterAndUser(server, { name: "nobody" });
    const kubeconfig = await plane.writeKubeconfig("proxy", config);
    const sessions = { podAnnotations: { "test/run-for": "1h" } };
    const env = { WORKERS: "20" };
    first = new OperatorProcess(plane, { edgeUrl, name: "first", kubeconfig, sessions, env });
    second = new OperatorProcess(plane, { edgeUrl, name: "second", sessions });
    third = new OperatorProcess(plane, {
      edgeUrl,
      name: "third",
      kubeconfig,
      sessions,
      env: { LEASE_SECONDS: "60" },
    });
    releaseAtEnd(() => third.kill());
    releaseAtEnd(() => first.kill());
    releaseAtEnd(() => second.kill());
    await first.start();
    await cluster.until("the first leads", () => leads(first));
    await second.start();
    await cluster.until("the second is warm", async () => Boolean(await second.probe("/readyz")));
  });

  it("do not take back what another leader has done, when a frozen one's writes arrive late", async () => {
    await Promise.all(["known", ...names].map((name) => cluster.create(name)));
    await Promise.all(["known", "late-status", "late-report"].map((name) => connected(name)));
    await cluster.untilPhase("known", "Running");
    await cluster.untilPhase("late-report", "Running");
    await cluster.end("late-report", 137, "OOMKilled");
    await cluster.until("all is on its way", () => held.size === names.length);
    first.signal("SIGSTOP");
    await cluster.until("the second leads", () => leads(second));
    await completed("late-status");
    await Promise.all(
      ["late-job", "late-secret", "late-report"].map(async (name) => {
        if (name !== "late-report") {
          await connected(name);
          await cluster.untilPhase(name, "Running");
          await cluster.end(name, 137, "OOMKilled");
        }
        await triedAgain(name);
      }),
    );
    thawed.resolve();
    await cluster.until("all has arrived", () => arrived.size === names.length);
    first.signal("SIGCONT");
    await cluster.until("the first follows", () => follows(first));
    await cluster.until("what came late is cleared away", async () => {
      const { stdout } = await plane.kubectl("get", "jobs,secrets", "-o", "name");
      return !/late-(job|secret|report)-1\n/.test(stdout);
    });
    for (const name of names) {
      const reports = pool.reportsOf(runOf(name)).map(({ attempt, reason }) => [attempt, reason]);
      expect([name, reports]).toEqual([name, name === "late-status" ? [] : [[1, "OutOfMemory"]]]);
      await completed(name);
    }
    expect(history.setbacks).toEqual([]);
  }, 600_000);

  it("go on with the operator that was warm, from what is and not from what it knew when it led before", async () => {
    await completed("known");
    await second.kill();
    await cluster.until("the first leads again", () => leads(first));
    await cluster.end("known");
    await cluster.untilGone("known");
    expect(history.setbacks).toEqual([]);
    expect(await first.probe("/metrics")).not.toMatch(
      /^millrace_informer_relists_total\{.*[1-9]$/m,
    );
  }, 600_000);

  it("go on when the API server is restarted, watches break, and others write to them all the time", async () => {
    const busy = Array.from({ length: 3 }, (_, i) => `busy-${i}`);
    await Promise.all(busy.map((name) => cluster.create(name)));
    const over = new AbortController();
    const meddling = Promise.all(busy.map((name) => meddle(name, over.signal)));
    await Promise.all(busy.map((name) => cluster.untilRun(name)));
    network.dropConnections();
    await Promise.all(busy.map((name) => connected(name)));
    await plane.restartApiServer();
    await Promise.all(busy.map((name) => cluster.untilPhase(name, "Running")));
    network.dropConnections();
    await Promise.all(busy.map((name) => cluster.end(name, 137, "OOMKilled")));
    await Promise.all(busy.map((name) => triedAgain(name)));
    await Promise.all(busy.map((name) => completed(name)));
    over.abort();
    await meddling;
    for (const name of busy) {
      expect(pool.reportsOf(runOf(name)).map(({ attempt }) => attempt)).toEqual([1]);
      expect(history.jobs.get(`${name}-1`)?.size).toBe(1);
      expect(history.jobs.get(`${name}-2`)?.size).toBe(1);
    }
    expect(history.setbacks).toEqual([]);
  }, 600_000);

  /** Some of it while the API server is away. */
  async function meddle(name: string, signal: AbortSignal): Promise<void> {
    for (let i = 0; !signal.aborted; i += 1) {
      const said = String(i);
      const metadata = { labels: { said }, annotations: { said } };
      const changes = i % 10 === 0 ? { metadata, spec: { displayName: said } } : { metadata };
      await cluster.meddle(name, changes).catch(() => undefined);
      await sleep(100);
    }
  }

  it("of which there are 200 at once all end, with one Job each and few writes of their status", async () => {
    const many = Array.from({ length: 200 }, (_, i) => `many-${i}`);
    await second.kill();
    await first.stop();
    await third.start();
    await cluster.until("the third leads", () => leads(third));
    const left = new Set(many);
    history.onNews = (name, news) => {
      const run = pool.runOf(name);
      if (!run || !left.has(name)) return;
      if (news === "pod runs" && run.status === "dispatched") {
        pool.change(run.runId, { status: "running", startedAt: Date.now() });
      }
      if (news === "pod runs") return;
      if (news.phase === "Completed") left.delete(name);
      if (news.phase !== "Running" || run.status !== "running") return;
      pool.change(run.runId, { status: "succeeded", completedAt: Date.now() });
    };
    await Promise.all(many.map((name) => cluster.create(name)));
    await cluster.until("all have ended", () => left.size === 0);
    expect(many.map((name) => history.jobs.get(`${name}-1`)?.size)).toEqual(many.map(() => 1));
    expect(pool.runs.size).toBe(
      new Set([...pool.runs.values()].map(({ body }) => body.session.uid)).size,
    );
    const most = Math.max(...many.map((name) => statusWrites.get(name) ?? 0));
    expect(most).toBeLessThanOrEqual(mostStatusWrites);
    expect(history.setbacks).toEqual([]);
  }, 600_000);
});
