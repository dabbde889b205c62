import type { OperatorEnv } from "./env.ts";
import { aborted } from "./kube/clock.ts";
import type { Controller } from "./kube/controller.ts";
import { EventRecorder } from "./kube/event-recorder.ts";
import { KubeClient } from "./kube/kube-client.ts";
import { KubeTransport } from "./kube/kube-transport.ts";
import { type Leadership, LeaderElection } from "./kube/leader-election.ts";
import { makeLeaseStore } from "./kube/lease-store.ts";
import { type ControllerParts } from "./make-controllers.ts";
import { OperatorMetrics } from "./metrics.ts";
import { ProbeServer } from "./probe-server.ts";
import type { Logger } from "@millrace/contracts";
import type { Tracer } from "@millrace/telemetry";
import type { KubeConfig } from "@kubernetes/client-node";

const fieldManager = "millrace-operator";

export interface OperatorOptions {
  readonly env: OperatorEnv;
  readonly config: KubeConfig;
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly makeControllers: (parts: ControllerParts) => readonly Controller[];
}

/** The operator without its process: informers always, work only while it leads. */
export class Operator {
  readonly #options: OperatorOptions;
  readonly #metrics = new OperatorMetrics();
  readonly #recorder: EventRecorder;
  readonly #controllers: readonly Controller[];
  readonly #election: LeaderElection;
  readonly #probes: ProbeServer;
  readonly #leading = new AbortController();
  readonly #watching = new AbortController();
  #isDraining = false;
  #informing: Promise<unknown> = Promise.resolve();
  #electing: Promise<void> = Promise.resolve();

  constructor(options: OperatorOptions) {
    const { env, config, log, tracer } = options;
    this.#options = options;
    const answered = (method: string, status: number): void =>
      this.#metrics.apiRequests.inc({ method, code: String(status) });
    const transport = new KubeTransport(config, { answered });
    const api = new KubeClient(config, { fieldManager }, transport);
    this.#recorder = new EventRecorder({
      api,
      controller: "millrace.dev/operator",
      instance: env.POD_NAME,
      onError: (error) => log.warn("an Event could not be written", { error }),
    });
    const parts = { env, api, recorder: this.#recorder, metrics: this.#metrics, tracer, log };
    this.#controllers = options.makeControllers(parts);
    const lease = { namespace: env.POD_NAMESPACE, name: env.LEASE_NAME };
    this.#election = new LeaderElection({
      store: makeLeaseStore(api, lease, Date.now),
      identity: env.identity,
      leaseMs: env.LEASE_SECONDS * 1000,
      onError: (error) => log.warn("the Lease could not be read or written", { error }),
    });
    this.#probes = new ProbeServer({
      sick: () => undefined,
      missing: () => this.#missing(),
      metrics: async () => {
        const { registry } = this.#metrics;
        return { contentType: registry.contentType, text: await registry.metrics() };
      },
    });
  }

  /** Opens the probes' port and begins. Rejects when the port is taken. */
  async start(): Promise<void> {
    const { env, log } = this.#options;
    const port = await this.#probes.listen(env.HTTP_HOST, env.HTTP_PORT);
    log.info("operator starts", { identity: env.identity, port });
    const informers = new Set(this.#controllers.flatMap((one) => one.informers));
    this.#informing = Promise.all([...informers].map((one) => one.run(this.#watching.signal)));
    this.#electing = this.#election.run(
      (leadership) => this.#lead(leadership),
      this.#leading.signal,
    );
  }

  /** Resolves when it was stopped; rejects on a bug in a controller. */
  async finished(): Promise<void> {
    await this.#electing;
  }

  /** Finishes what is in hand, gives the Lease back, writes the last Events. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#leading.abort(new Error("the operator stops"));
    await this.#electing;
    this.#watching.abort(new Error("the operator stops"));
    await this.#informing;
    await this.#recorder.flush();
    await this.#probes.close();
  }

  async #lead(leadership: Leadership): Promise<void> {
    const { log } = this.#options;
    log.info("leads");
    this.#metrics.leading.set(1);
    try {
      const work = this.#controllers.map((controller) => controller.lead(leadership));
      // Without controllers as well: who leads and has nothing to do keeps the Lease.
      await Promise.all([...work, aborted(leadership.signal)]);
    } finally {
      this.#metrics.leading.set(0);
      log.info("leads no more", { because: String(leadership.signal.reason) });
    }
  }

  #missing(): readonly string[] {
    if (this.#isDraining) return ["the operator stops"];
    return this.#controllers
      .filter(({ informers }) => informers.some(({ isSynced }) => !isSynced))
      .map(({ name }) => `${name}: caches are not filled yet`);
  }
}
