import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { ReconcileObserver } from "./kube/controller.ts";
import type { QueueObserver } from "./kube/work-queue.ts";

const seconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];
const startSeconds = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300];

/** What `/metrics` tells; names and labels are listed in `operator/README.md`. */
export class OperatorMetrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly reconcileSeconds = new Histogram({
    name: "millrace_reconcile_duration_seconds",
    help: "Time of one reconcile",
    labelNames: ["controller", "outcome"],
    buckets: seconds,
    registers: this.#registers,
  });
  readonly reconcileErrors = new Counter({
    name: "millrace_reconcile_errors_total",
    help: "Reconciles that threw",
    labelNames: ["controller"],
    registers: this.#registers,
  });
  readonly queueDepth = new Gauge({
    name: "millrace_queue_depth",
    help: "Keys that wait for a worker",
    labelNames: ["controller"],
    registers: this.#registers,
  });
  readonly queueSeconds = new Histogram({
    name: "millrace_queue_duration_seconds",
    help: "Time that a ready key waited for a worker",
    labelNames: ["controller"],
    buckets: seconds,
    registers: this.#registers,
  });
  readonly retries = new Counter({
    name: "millrace_queue_retries_total",
    help: "Keys put back after a failure",
    labelNames: ["controller"],
    registers: this.#registers,
  });
  readonly apiRequests = new Counter({
    name: "millrace_api_requests_total",
    help: "Requests to the API server by their answers; code 0: there was none",
    labelNames: ["method", "code"],
    registers: this.#registers,
  });
  readonly relists = new Counter({
    name: "millrace_informer_relists_total",
    help: "Full lists after the first: the API server had forgotten the history",
    labelNames: ["kind"],
    registers: this.#registers,
  });
  readonly informerErrors = new Counter({
    name: "millrace_informer_errors_total",
    help: "Lists and watches that failed",
    labelNames: ["kind"],
    registers: this.#registers,
  });
  readonly leading = new Gauge({
    name: "millrace_leader",
    help: "1 while this replica leads",
    registers: this.#registers,
  });
  readonly phaseTransitions = new Counter({
    name: "millrace_session_phase_transitions_total",
    help: "Phases that sessions entered, and why",
    labelNames: ["phase", "reason"],
    registers: this.#registers,
  });
  readonly startSeconds = new Histogram({
    name: "millrace_session_start_seconds",
    help: "From a session's creation to its connected runner",
    labelNames: ["path"],
    buckets: startSeconds,
    registers: this.#registers,
  });
  readonly sessions: Gauge = new Gauge({
    name: "millrace_sessions",
    help: "Sessions that this replica knows of",
    labelNames: ["phase"],
    registers: this.#registers,
    collect: () => this.#countSessions(),
  });
  readonly warmPoolSize = new Gauge({
    name: "millrace_warm_pool_size",
    help: "Runners that wait for a session",
    registers: this.#registers,
  });
  readonly warmPoolHits = new Counter({
    name: "millrace_warm_pool_claims_total",
    help: "Sessions that could have used a warm runner: hit or miss",
    labelNames: ["result"],
    registers: this.#registers,
  });
  readonly socketConnected = new Gauge({
    name: "millrace_edge_socket_connected",
    help: "1 while the socket to the edge is open",
    registers: this.#registers,
  });

  /** Asked for when the metrics are read. */
  #sessionsByPhase: () => Readonly<Record<string, number>> = () => ({});

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** By whom sessions are counted, by phase. */
  countSessionsBy(byPhase: () => Readonly<Record<string, number>>): void {
    this.#sessionsByPhase = byPhase;
  }

  #countSessions(): void {
    this.sessions.reset();
    for (const [phase, count] of Object.entries(this.#sessionsByPhase())) {
      this.sessions.set({ phase }, count);
    }
  }

  queueObserver(controller: string): QueueObserver {
    return {
      depth: (keys) => this.queueDepth.set({ controller }, keys),
      waited: (ms) => this.queueSeconds.observe({ controller }, ms / 1000),
      retried: () => this.retries.inc({ controller }),
    };
  }

  reconcileObserver(controller: string): ReconcileObserver {
    return {
      reconciled: (outcome, durationMs) => {
        this.reconcileSeconds.observe({ controller, outcome }, durationMs / 1000);
        if (outcome === "failed") this.reconcileErrors.inc({ controller });
      },
    };
  }
}
