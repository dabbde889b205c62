import { CoordinationV1Api, KubeConfig, Watch } from "@kubernetes/client-node";
import { beforeAll, describe, expect, it } from "vitest";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { hasControlPlane } from "../support/binaries.ts";
import { type ControlPlane, startControlPlane } from "../support/control-plane.ts";
import { OperatorProcess } from "../support/operator-process.ts";
import { ScriptedPool } from "../support/scripted-pool.ts";
import { SessionCluster } from "../support/session-cluster.ts";
import { type Moment, type Write, WriteProxy } from "../support/write-proxy.ts";

const namespace = "default";
const patienceMs = 400_000;

/** Writes that no life can be without: an attempt that fails, one that succeeds, and the session's deletion. */
const certain = [
  "PATCH agenticsessions/S",
  "POST runs (edge)",
  "PATCH secrets/S-1",
  "PATCH networkpolicies/S-net",
  "PATCH jobs/S-1",
  "PATCH agenticsessions/S/status Creating 1",
  "PATCH agenticsessions/S/status Running 1",
  "PATCH agenticsessions/S/status Pending 1 ended report",
  "PATCH agenticsessions/S/status Pending 1 ended",
  "DELETE jobs/S-1",
  "DELETE secrets/S-1",
  "PATCH secrets/S-2",
  "PATCH jobs/S-2",
  "PATCH agenticsessions/S/status Completed 2",
  "DELETE runs/RUN/token (edge)",
];
/** After most writes comes the next at once, and what is before it is what was after the last. Not so with these. */
const alsoBefore = /^POST|secrets|jobs\/S-1|report|token/;
const momentsOf = (what: string): readonly Moment[] =>
  alsoBefore.test(what) ? ["before", "after"] : ["after"];

/** Which write of a life it is, and of whose. */
function describeWrite(write: Write, sessionOfRun: (runId: string) => string) {
  return describeEdgeWrite(write, sessionOfRun) ?? describeClusterWrite(write);
}

function describeEdgeWrite({ method, path, body }: Write, sessionOfRun: (id: string) => string) {
  const edge = /^\/runner\/pools\/[^/]+\/runs\/?([0-9a-f-]*)(.*)$/.exec(path);
  if (!edge) return undefined;
  const [, runId = "", rest = ""] = edge;
  if (runId === "") return { session: nameIn(body), what: `${method} runs (edge)` };
  return { session: sessionOfRun(runId), what: `${method} runs/RUN${rest} (edge)` };
}

/** Leases are not a session's, Events nobody's state: neither is named. */
function describeClusterWrite({ method, path, body }: Write) {
  const object = /\/namespaces\/[^/]+\/([a-z]+)\/(torn-\d+)([^/]*)(\/status)?$/.exec(path);
  const [, kind = "", session = "", rest = "", status = ""] = object ?? [];
  const news = status === "" ? "" : ` ${describeStatus(body)}`;
  return { session, what: `${method} ${kind}/S${rest}${status}${news}` };
}

const nameIn = (body: string): string =>
  (JSON.parse(body) as { readonly session: { readonly name: string } }).session.name;

function describeStatus(body: string): string {
  const { status } = JSON.parse(body) as { readonly status: Record<string, unknown> };
  const { phase, attempt, endedAttempt, reports } = status;
  const isEnded = attempt !== undefined && endedAttempt === attempt;
  return [phase, attempt, isEnded && "ended", reports && "report"].filter(Boolean).join(" ");
}

async function listen(proxy: WriteProxy): Promise<string> {
  releaseAtEnd(() => proxy.close());
  return proxy.listen();
}

/**
 * Each session is held at another of its writes: the one right before the write leaves, another right after it was done
 * and before the operator knows. When all are held, kill -9 cuts each life at its own place.
 */
describe.skipIf(!hasControlPlane)("an operator that is killed at every write it makes", () => {
  let plane: ControlPlane;
  let cluster: SessionCluster;
  let operator: OperatorProcess;
  const pool = new ScriptedPool();
  const wanted = new Map<string, { readonly what: string; readonly moment: Moment }>(
    certain
      .flatMap((what) => momentsOf(what).map((moment) => ({ what, moment })))
      .map((cut, i) => [`torn-${i}`, cut]),
  );
  const held = new Set<string>();
  const jobs = new Map<string, Set<string>>();
  const killed = Promise.withResolvers<void>();
  let isKilled = false;

  const sessionOfRun = (runId: string): string => pool.runs.get(runId)?.body.session.name ?? "";

  async function hold(write: Write, moment: Moment): Promise<boolean> {
    const { session, what } = describeWrite(write, sessionOfRun);
    const cut = wanted.get(session);
    if (isKilled || cut?.what !== what || cut.moment !== moment) return true;
    held.add(session);
    await killed.promise;
    return false;
  }

  /** One life; every step waits for a fact, so that it does not matter who brings it about, or when. */
  async function live(name: string): Promise<string> {
    await cluster.create(name);
    const runId = await cluster.untilRun(name);
    pool.start(runId);
    await cluster.untilPod(name);
    pool.change(runId, { status: "running", startedAt: Date.now() });
    await cluster.untilPhase(name, "Running");
    await cluster.end(name, 137, "OOMKilled");
    await cluster.until(`${name} is reported`, () => pool.reportsOf(runId).length > 0);
    pool.change(runId, { status: "queued", failures: 1 });
    await cluster.untilGone(name);
    pool.start(runId);
    await cluster.untilPod(name);
    pool.change(runId, { status: "running" });
    await cluster.untilPhase(name, "Running");
    pool.change(runId, { status: "succeeded", completedAt: Date.now() });
    await cluster.untilPhase(name, "Completed");
    await cluster.end(name);
    await cluster.untilGone(name);
    await cluster.remove(name);
    await cluster.untilDeleted(name);
    return runId;
  }

  async function watchJobs(): Promise<void> {
    const watch = await new Watch(plane.admin()).watch(
      `/apis/batch/v1/namespaces/${namespace}/jobs`,
      {},
      (_type, job: { readonly metadata: { readonly name: string; readonly uid: string } }) => {
        const uids = jobs.get(job.metadata.name) ?? new Set();
        jobs.set(job.metadata.name, uids.add(job.metadata.uid));
      },
      () => undefined,
    );
    releaseAtEnd(() => watch.abort());
  }

  beforeAll(async () => {
    plane = await startControlPlane();
    releaseAtEnd(() => plane.stop());
    cluster = new SessionCluster(plane, pool, { forMs: patienceMs, restMs: 500 });
    await cluster.define();
    const poolUrl = await pool.listen();
    releaseAtEnd(() => pool.close());
    const edgeUrl = await listen(new WriteProxy({ url: poolUrl }, hold));
    const server = await listen(new WriteProxy(plane.admin(), hold));
    const config = new KubeConfig();
    const proxy = { name: "proxy", server, skipTLSVerify: true };
    config.loadFromClusterAndUser(proxy, { name: "nobody" });
    operator = new OperatorProcess(plane, {
      edgeUrl,
      kubeconfig: await plane.writeKubeconfig("proxy", config),
      sessions: { podAnnotations: { "test/run-for": "1h" } },
      // A held write keeps its worker.
      env: { WORKERS: String(wanted.size + 10) },
    });
    releaseAtEnd(() => operator.kill());
    await watchJobs();
    await operator.start();
  });

  it("loses nothing and does nothing twice", async () => {
    const lives = [...wanted.keys()].map((name) => live(name));
    await cluster.until("every life is held at its write", () => held.size === wanted.size);
    isKilled = true;
    await operator.kill();
    killed.resolve();
    const leases = plane.admin().makeApiClient(CoordinationV1Api);
    // Nobody holds it any more; it would only run out.
    await leases.deleteNamespacedLease({ namespace, name: "millrace-operator" });
    await operator.start();
    const runs = await Promise.all(lives);
    const twice = [...jobs].filter(([, uids]) => uids.size !== 1);
    expect(twice).toEqual([]);
    expect(jobs.size).toBe(wanted.size * 2);
    expect(pool.runs.size).toBe(wanted.size);
    for (const runId of runs) {
      const reports = pool.reportsOf(runId).map(({ attempt, reason }) => [attempt, reason]);
      expect(reports).toEqual([[1, "OutOfMemory"]]);
      expect(pool.revoked).toContain(runId);
    }
    await cluster.until("no orphan is left", async () => {
      const kinds = "jobs,pods,secrets,networkpolicies,persistentvolumeclaims";
      const { stdout } = await plane.kubectl("get", kinds, "-o", "name");
      return !stdout.includes("/torn-");
    });
  }, 600_000);
});
