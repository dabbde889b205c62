import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  type V1Job,
  type V1Pod,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { AgenticSession } from "@millrace/contracts";
import { checkout } from "../../support/build-paths.ts";
import { waitUntil } from "../../support/wait-until.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { ScriptedPool } from "./scripted-pool.ts";

const definition = join(checkout, "operator/manifests/agenticsessions.millrace.dev.yaml");
const kind = { group: "millrace.dev", version: "v1alpha1", plural: "agenticsessions" };
const namespace = "default";

const mergePatch = setHeaderOptions("Content-Type", "application/merge-patch+json");

/**
 * Who asks while somebody else is waiting for the same answer shares it, also for `restMs` afterwards: many sessions may
 * be waited for at a time.
 */
function sharing<T>(ask: () => Promise<T>, restMs: number): () => Promise<T> {
  let asked: Promise<T> | undefined;
  const forget = async (): Promise<void> => {
    if (restMs > 0) await sleep(restMs);
    asked = undefined;
  };
  return () => {
    asked ??= ask().finally(() => void forget());
    return asked;
  };
}

export interface Patience {
  /** How long it waits for anything. Default as long as `waitUntil`. */
  readonly forMs?: number;
  /** What was seen is true for so long: for many sessions at a time. Default 0. */
  readonly restMs?: number;
}

/** Sessions of a control plane as a test sees and moves them; kwok in place of nodes, the test in place of the platform. */
export class SessionCluster {
  readonly #plane: ControlPlane;
  readonly #pool: ScriptedPool;
  readonly #objects: CustomObjectsApi;
  readonly #core: CoreV1Api;
  readonly #sessions: () => Promise<readonly AgenticSession[]>;
  readonly #pods: () => Promise<readonly V1Pod[]>;
  readonly #jobs: () => Promise<readonly V1Job[]>;
  readonly #patience: Patience;

  constructor(plane: ControlPlane, pool: ScriptedPool, patience: Patience = {}) {
    const { restMs = 0 } = patience;
    const config = plane.admin();
    this.#plane = plane;
    this.#pool = pool;
    this.#patience = patience;
    this.#objects = config.makeApiClient(CustomObjectsApi);
    this.#core = config.makeApiClient(CoreV1Api);
    const batch = config.makeApiClient(BatchV1Api);
    const objects = this.#objects;
    this.#sessions = sharing(async () => {
      const list: unknown = await objects.listNamespacedCustomObject({ ...kind, namespace });
      return (list as { readonly items: readonly AgenticSession[] }).items;
    }, restMs);
    const [core, all] = [this.#core, { namespace }];
    this.#pods = sharing(async () => (await core.listNamespacedPod(all)).items, restMs);
    this.#jobs = sharing(async () => (await batch.listNamespacedJob(all)).items, restMs);
  }

  /** Until the API server takes sessions. */
  async define(): Promise<void> {
    await this.#plane.kubectl("apply", "-f", definition);
    const crd = "crd/agenticsessions.millrace.dev";
    await this.#plane.kubectl("wait", "--for=condition=Established", crd);
  }

  readonly find = async (name: string): Promise<AgenticSession | undefined> =>
    (await this.#sessions()).find(({ metadata }) => metadata.name === name);

  readonly read = async (name: string): Promise<AgenticSession> => {
    const found = await this.find(name);
    if (!found) throw new Error(`no AgenticSession ${name}`);
    return found;
  };

  readonly create = (name: string, spec: Record<string, unknown> = {}): Promise<unknown> =>
    this.#objects.createNamespacedCustomObject({
      ...kind,
      namespace,
      body: {
        apiVersion: "millrace.dev/v1alpha1",
        kind: "AgenticSession",
        metadata: { name },
        spec: { prompt: "do it", ...spec },
      },
    });

  readonly remove = (name: string): Promise<unknown> =>
    this.#objects.deleteNamespacedCustomObject({ ...kind, namespace, name });

  /** As somebody else who has to do with sessions: labels, annotations, the spec. */
  readonly meddle = (name: string, changes: object): Promise<unknown> =>
    this.#objects.patchNamespacedCustomObject(
      { ...kind, namespace, name, body: changes },
      mergePatch,
    );

  readonly patch = (name: string, spec: object): Promise<unknown> =>
    this.#plane.kubectl("patch", "ags", name, "--type=merge", "-p", JSON.stringify({ spec }));

  readonly until = (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> =>
    waitUntil(what, isSo, this.#patience.forMs);

  readonly untilPhase = (name: string, phase: string, reason?: string): Promise<void> =>
    this.until(`${name} is ${phase}/${reason ?? "any"}`, async () => {
      const { status } = (await this.find(name)) ?? {};
      return status?.phase === phase && (reason === undefined || status.reason === reason);
    });

  readonly podsOf = async (name: string): Promise<readonly V1Pod[]> =>
    (await this.#pods()).filter(
      ({ metadata }) => metadata?.annotations?.["millrace.dev/session-name"] === name,
    );

  readonly jobsOf = async (name: string): Promise<readonly V1Job[]> =>
    (await this.#jobs()).filter(({ metadata }) =>
      metadata?.ownerReferences?.some((owner) => owner.name === name),
    );

  readonly untilGone = (name: string): Promise<void> =>
    this.until(`nothing of ${name} runs`, async () => (await this.jobsOf(name)).length === 0);

  /** Until it and its attempts are gone. What the garbage collector takes comes later. */
  readonly untilDeleted = (name: string): Promise<void> =>
    this.until(`${name} is gone`, async () => (await this.find(name)) === undefined);

  /** As kubelet says it when the container has ended. */
  readonly end = async (name: string, exitCode = 0, reason = "Completed"): Promise<void> => {
    const pods = await this.podsOf(name);
    // The garbage collector may not have come for the last attempt's yet.
    const pod = pods.find((one) => one.status?.phase === "Running") ?? pods[0];
    if (!pod) return;
    const finishedAt = new Date().toISOString();
    const status = {
      phase: exitCode === 0 ? "Succeeded" : "Failed",
      containerStatuses: pod.status?.containerStatuses?.map(
        ({ name: container, image, imageID }) => ({
          name: container,
          image,
          imageID,
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode, reason, finishedAt } },
        }),
      ),
    };
    const ref = pod.metadata?.name ?? "";
    const patch = { name: ref, namespace, body: { status } };
    await this.#core.patchNamespacedPodStatus(patch, mergePatch).catch(async (error: unknown) => {
      // The operator may have taken it away already; then it has ended, too.
      if ((await this.podsOf(name)).some(({ metadata }) => metadata?.name === ref)) throw error;
    });
  };

  /** Until the platform has the session's run. */
  readonly untilRun = async (name: string): Promise<string> => {
    await this.until(`${name} has a run`, () => this.#pool.runOf(name) !== undefined);
    return this.#pool.runOf(name)?.runId ?? "";
  };

  readonly untilPod = (name: string): Promise<void> =>
    this.until(`${name} has a pod`, async () =>
      (await this.podsOf(name)).some(({ status }) => status?.phase === "Running"),
    );

  /** Until the platform has its run; then the first attempt is asked for. */
  readonly started = async (name: string, spec: Record<string, unknown> = {}): Promise<string> => {
    await this.create(name, spec);
    const runId = await this.untilRun(name);
    this.#pool.start(runId);
    await this.untilPod(name);
    return runId;
  };

  readonly running = async (name: string, spec: Record<string, unknown> = {}): Promise<string> => {
    const runId = await this.started(name, spec);
    this.#pool.change(runId, { status: "running", startedAt: Date.now() });
    await this.untilPhase(name, "Running");
    return runId;
  };
}
