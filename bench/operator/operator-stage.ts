import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { CustomObjectsApi, setHeaderOptions } from "@kubernetes/client-node";
import { type AgenticSession, sessionFinalizer, sessionPaths } from "@millrace/contracts";
import { checkout } from "../../tests/support/build-paths.ts";
import { waitUntil } from "../../tests/support/wait-until.ts";
import { type ControlPlane, startControlPlane } from "../../tests/cluster/support/control-plane.ts";
import { OperatorProcess } from "../../tests/cluster/support/operator-process.ts";
import { ScriptedPool } from "../../tests/cluster/support/scripted-pool.ts";
import { type Metrics, readMetrics } from "../../tests/cluster/support/read-metrics.ts";
import { type Watched, watchCollection } from "../../tests/cluster/support/watch-collection.ts";

const kind = { group: "millrace.dev", version: "v1alpha1", plural: "agenticsessions" };
const namespace = "default";
const sessionName = "millrace.dev/session-name";
const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
/** kwok's nodes take 500 pods each. */
const nodes = 3;
const longMs = 600_000;

const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

/** When what happened to a session was seen, by the bench's own monotonic clock. */
export interface Seen {
  createdAt: number;
  jobAt?: number;
  runningAt?: number;
  phase?: string;
}

const isServed = (plane: ControlPlane): Promise<boolean> =>
  plane.kubectl("get", "agenticsessions").then(
    () => true,
    () => false,
  );

/**
 * A control plane, an operator, and the bench in place of edge and runners: each run is dispatched at once, each pod's
 * runner connects at once.
 */
export class OperatorStage {
  readonly plane: ControlPlane;
  readonly pool: ScriptedPool;
  readonly seen = new Map<string, Seen>();
  readonly edgeUrl: string;
  /** Resident memory of an operator that leads where there is nothing. */
  emptyBytes = Number.NaN;
  readonly #objects: CustomObjectsApi;
  readonly #ends: (() => void)[] = [];
  #operator: OperatorProcess | undefined;

  private constructor(plane: ControlPlane, pool: ScriptedPool, edgeUrl: string) {
    this.plane = plane;
    this.pool = pool;
    this.edgeUrl = edgeUrl;
    this.#objects = plane.admin().makeApiClient(CustomObjectsApi);
  }

  static async start(): Promise<OperatorStage> {
    const plane = await startControlPlane({ nodes });
    await plane.kubectl("apply", "-f", definition);
    await plane.kubectl("wait", "--for=condition=Established", "crd/agenticsessions.millrace.dev");
    // Established comes a moment before the API server answers for it.
    await waitUntil("sessions are served", () => isServed(plane));
    const pool = new ScriptedPool((runId) => pool.start(runId));
    const stage = new OperatorStage(plane, pool, await pool.listen());
    await stage.#watch();
    await stage.startOperator("1h");
    await waitUntil(
      "it leads",
      async () => (await stage.operatorMetrics())("millrace_leader") === 1,
    );
    stage.emptyBytes = (await stage.operatorMetrics())("process_resident_memory_bytes");
    return stage;
  }

  async #watch(): Promise<void> {
    const config = this.plane.admin();
    const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    const sessions = `/apis/millrace.dev/v1alpha1/namespaces/${namespace}/agenticsessions`;
    this.#ends.push(
      await watchCollection(config, jobs, (job, type) => {
        if (type === "ADDED") this.#sawJob(job);
      }),
      await watchCollection(config, `/api/v1/namespaces/${namespace}/pods`, (pod) => {
        if (pod.status?.["phase"] === "Running") this.#sawPod(pod);
      }),
      await watchCollection(config, sessions, (session) => this.#sawSession(session)),
    );
  }

  #sawJob(job: Watched): void {
    const seen = this.seen.get(job.metadata.name.replace(/-\d+$/, ""));
    if (seen) seen.jobAt ??= performance.now();
  }

  #sawPod({ metadata: { annotations = {} } }: Watched): void {
    const run = this.pool.runOf(annotations[sessionName] ?? "");
    if (run?.status !== "dispatched") return;
    this.pool.change(run.runId, { status: "running", startedAt: Date.now() });
  }

  #sawSession({ metadata, status }: Watched): void {
    const seen = this.seen.get(metadata.name);
    const phase = status?.["phase"];
    if (!seen || typeof phase !== "string") return;
    seen.phase = phase;
    if (phase === "Running") seen.runningAt ??= performance.now();
  }

  /** A fresh process. Pods end by themselves after `podsRunFor`. */
  async startOperator(podsRunFor: string): Promise<OperatorProcess> {
    await this.#operator?.stop();
    const sessions = { podAnnotations: { "test/run-for": podsRunFor } };
    const operator = new OperatorProcess(this.plane, { edgeUrl: this.edgeUrl, sessions });
    this.#operator = operator;
    await operator.start();
    return operator;
  }

  async create(name: string): Promise<Seen> {
    const seen: Seen = { createdAt: performance.now() };
    this.seen.set(name, seen);
    await this.#post(name, {});
    return seen;
  }

  async read(name: string): Promise<AgenticSession> {
    const read = this.#objects.getNamespacedCustomObject({ ...kind, namespace, name });
    return (await read) as AgenticSession;
  }

  /** A session of which nothing but itself is left, as `model` is; its run is known at the edge. */
  async createOver(name: string, model: AgenticSession): Promise<void> {
    const created = await this.#post(name, { finalizers: [sessionFinalizer] });
    const { uid } = created.metadata;
    const of = this.pool.runs.get(model.status?.runId ?? "");
    if (!of || uid === undefined) throw new Error("the model has no run");
    const session = { ...of.body.session, name, uid };
    const body = JSON.stringify({ ...of.body, session });
    const answer = await fetch(`${this.edgeUrl}${sessionPaths.runs("default")}`, {
      method: "POST",
      body,
    });
    const { runId } = (await answer.json()) as { readonly runId: string };
    const { status, attempt, startedAt, completedAt } = of.run;
    this.pool.change(runId, { status, attempt, startedAt, completedAt });
    const told = JSON.stringify(model.status).replaceAll(of.run.runId, runId);
    const patch = { ...kind, namespace, name, body: { status: JSON.parse(told) as unknown } };
    await this.#objects.patchNamespacedCustomObjectStatus(patch, mergePatch);
  }

  async #post(name: string, metadata: object): Promise<AgenticSession> {
    const posted = this.#objects.createNamespacedCustomObject({
      ...kind,
      namespace,
      body: {
        apiVersion: "millrace.dev/v1alpha1",
        kind: "AgenticSession",
        metadata: { name, ...metadata },
        spec: { prompt: "do it" },
      },
    });
    return (await posted) as AgenticSession;
  }

  async untilAll(names: readonly string[], what: string, is: (seen: Seen) => boolean) {
    const all = () => names.every((name) => is(this.seen.get(name) ?? { createdAt: 0 }));
    await waitUntil(what, all, longMs);
  }

  async apiMetrics(): Promise<Metrics> {
    const { stdout } = await this.plane.kubectl("get", "--raw=/metrics");
    return readMetrics(stdout);
  }

  async operatorMetrics(): Promise<Metrics> {
    return readMetrics((await this.#operator?.probe("/metrics")) ?? "");
  }

  async dispose(): Promise<void> {
    for (const end of this.#ends) end();
    await this.#operator?.kill();
    await this.pool.close();
    await this.plane.stop();
  }
}
