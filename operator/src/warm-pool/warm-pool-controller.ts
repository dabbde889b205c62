import { randomBytes } from "node:crypto";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { type PoolStatus, type SessionToken, warmPoolLabel } from "@millrace/contracts";
import { kinds } from "../agentic-session/children.ts";
import type { Pod } from "../agentic-session/facts.ts";
import type { SessionSettings, WarmSettings } from "../agentic-session/session-settings.ts";
import { settle } from "../edge/edge-answer.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { isApiError } from "../kube/api-error.ts";
import { aborted } from "../kube/clock.ts";
import { type Controller, type Requeue, makeController, settled } from "../kube/controller.ts";
import { Informer } from "../kube/informer.ts";
import { type KubeObject, type Stored, defineKind } from "../kube/kind.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { Leadership } from "../kube/leader-election.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import type { ControllerParts } from "../make-controllers.ts";
import { type WarmPod, decideWarmPool, isReady } from "./decide-warm-pool.ts";
import { makeWarmPod, makeWarmPolicy, makeWarmSecret, makeWarmTemplate } from "./make-warm-pod.ts";
import { RecentPods } from "./recent-pods.ts";
import { readWarmPod } from "./warm-pod-facts.ts";

const controllerName = "warm-pool";
type ConfigMap = Stored<V1ConfigMap>;
const anchorKind = defineKind<ConfigMap>("v1", "ConfigMap", "configmaps");

export interface WarmPoolOptions extends ControllerParts {
  readonly settings: SessionSettings;
  readonly warm: WarmSettings;
  readonly edge: EdgeHttp;
}

/**
 * Keeps idle pods whose runners wait in the pool for a session. They belong to a ConfigMap of the chart, so that they go
 * with it; a pod that becomes a session's leaves these caches with its label.
 */
export class WarmPoolController implements Controller {
  readonly name = controllerName;
  readonly #options: WarmPoolOptions;
  readonly #pods: Informer<Pod>;
  readonly #secrets: Informer<KubeObject>;
  readonly #anchors: Informer<ConfigMap>;
  readonly #inner: Controller;
  readonly #recent = new RecentPods();
  #isPolicyMade = false;

  constructor(options: WarmPoolOptions) {
    this.#options = options;
    const { api, log, metrics, settings, warm } = options;
    const { namespace, anchor } = warm;
    const onError = (error: unknown): void => {
      metrics.informerErrors.inc({ kind: controllerName });
      log.warn("a watch failed", { kind: controllerName, error });
    };
    const labelSelector = `${warmPoolLabel}=${settings.pool}`;
    const of = { api, namespace, onError };
    this.#pods = new Informer({ ...of, kind: kinds.pod, labelSelector });
    this.#secrets = new Informer({ ...of, kind: kinds.secret, labelSelector });
    const fieldSelector = `metadata.name=${anchor}`;
    this.#anchors = new Informer({ ...of, kind: anchorKind, fieldSelector });
    this.#pods.subscribe(({ object }) => this.#recent.saw(object.metadata.name));
    this.#inner = makeController({
      name: controllerName,
      api,
      primary: this.#anchors,
      owned: [this.#pods],
      read: [this.#secrets],
      queue: new WorkQueue({ observer: metrics.queueObserver(controllerName) }),
      workers: 1,
      observer: metrics.reconcileObserver(controllerName),
      onError: (key, error, retryInMs) => log.warn("reconcile failed", { key, error, retryInMs }),
      reconcile: (key, context) => this.#reconcile(key, context.api),
    });
  }

  get informers(): Controller["informers"] {
    return this.#inner.informers;
  }

  async lead(leadership: Leadership): Promise<void> {
    // What is not in a cache yet would be made again.
    const synced = Promise.all([this.#pods.synced, this.#secrets.synced]);
    await Promise.race([synced, aborted(leadership.signal)]);
    this.#isPolicyMade = false;
    await this.#inner.lead(leadership);
  }

  /** How many are wanted, and how many could take a run. */
  counts(): PoolStatus["warm"] {
    return {
      size: this.#options.warm.size,
      ready: this.#observe(Date.now()).filter(isReady).length,
    };
  }

  /** What is counted may have changed. */
  onChange(listener: () => void): void {
    this.#pods.subscribe(listener);
    this.#secrets.subscribe(listener);
  }

  async #reconcile(key: string, api: KubeClient): Promise<Requeue> {
    const anchor = this.#anchors.cache.getByKey(key);
    if (!anchor || anchor.metadata.deletionTimestamp !== undefined) return settled;
    const { settings, warm, metrics } = this.#options;
    const template = makeWarmTemplate(settings, warm);
    const now = Date.now();
    const pods = this.#observe(now);
    metrics.warmPoolSize.set(pods.filter(isReady).length);
    const { size } = warm;
    const plan = decideWarmPool({ pods, size, template: template.digest, now });
    for (const name of plan.deletes) await this.#remove(name, api);
    if (plan.creates > 0) await this.#makePolicy(anchor, api);
    for (const name of plan.tokens) await this.#giveToken(name, api);
    for (let made = 0; made < plan.creates; made += 1) await this.#make(anchor, api);
    const at = Math.min(plan.wakeAt ?? Infinity, this.#recent.until());
    return Number.isFinite(at) ? { kind: "at", at } : settled;
  }

  async #makePolicy(anchor: ConfigMap, api: KubeClient): Promise<void> {
    const { settings } = this.#options;
    if (this.#isPolicyMade || !settings.networkPolicies) return;
    await api.apply(kinds.policy, makeWarmPolicy(anchor, settings));
    this.#isPolicyMade = true;
  }

  #observe(now: number): readonly WarmPod[] {
    const { settings, warm } = this.#options;
    const seen = [...this.#pods.cache.values()].map((pod) => {
      const { name } = pod.metadata;
      const secret = this.#secrets.cache.get({ namespace: warm.namespace, name });
      return readWarmPod(pod, secret !== undefined || this.#recent.hasToken(name, now));
    });
    const { digest } = makeWarmTemplate(settings, warm);
    return [...seen, ...this.#recent.unseen(digest, now)];
  }

  async #make(anchor: ConfigMap, api: KubeClient): Promise<void> {
    const { settings, warm } = this.#options;
    const name = `${warm.anchor}-${randomBytes(4).toString("hex")}`;
    // Asked first: an edge that is away must not leave pods that wait for a token.
    const token = await this.#askToken(name);
    const template = makeWarmTemplate(settings, warm);
    this.#recent.making(name, Date.now());
    try {
      const draft = makeWarmPod(anchor, settings.pool, { name, template });
      const pod = await api.create(kinds.pod, draft);
      await api.apply(kinds.secret, makeWarmSecret(pod, settings.pool, token));
    } catch (error) {
      this.#recent.forget(name);
      throw error;
    }
  }

  async #giveToken(name: string, api: KubeClient): Promise<void> {
    const { settings, warm } = this.#options;
    const pod = this.#pods.cache.get({ namespace: warm.namespace, name });
    if (!pod) return;
    const token = await this.#askToken(name);
    await api.apply(kinds.secret, makeWarmSecret({ ...pod, ...podType }, settings.pool, token));
    this.#recent.gaveToken(name, Date.now());
  }

  async #askToken(podName: string): Promise<SessionToken> {
    const { settings, warm, edge } = this.#options;
    const owners = [...makeWarmTemplate(settings, warm).owners];
    const { namespace } = warm;
    const token = settle(await edge.warmToken({ podName, namespace, owners }), "get a warm token");
    if (!token) throw new Error("the edge gives no token for a warm pod");
    return token;
  }

  /** Only as it was seen: in between it may have become a session's. */
  async #remove(name: string, api: KubeClient): Promise<void> {
    const ref = { namespace: this.#options.warm.namespace, name };
    const resourceVersion = this.#pods.cache.get(ref)?.metadata.resourceVersion;
    if (resourceVersion === undefined) return;
    try {
      await api.delete(kinds.pod, ref, { resourceVersion });
    } catch (error) {
      // It has changed, and what it is now comes with the watch.
      if (!isApiError(error, "conflict")) throw error;
    }
  }
}

/** What a watch leaves out, for it follows from the collection. */
const podType = { apiVersion: kinds.pod.apiVersion, kind: kinds.pod.kind };
