import { randomUUID } from "node:crypto";
import type {
  AgenticSessionStatus,
  PoolStatus,
  SessionReport,
  SessionRun,
} from "@millrace/contracts";
import { type Span, within } from "@millrace/telemetry";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { OperatorSocket, type PoolHandler } from "../edge/operator-socket.ts";
import { type Controller, makeController } from "../kube/controller.ts";
import { aborted } from "../kube/clock.ts";
import { keyOf } from "../kube/kind.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import type { Leadership } from "../kube/leader-election.ts";
import { WorkQueue } from "../kube/work-queue.ts";
import type { ControllerParts } from "../make-controllers.ts";
import { type Children, makeChildren, wakeByChildren } from "./children.ts";
import { FirstWord } from "./first-word.ts";
import { type Identities, makeIdentities } from "./identities.ts";
import { type PoolTools, obeyStart, obeyStop } from "./obey-pool.ts";
import { findAttempt } from "./observe.ts";
import { reconcile } from "./reconcile.ts";
import { RunViews } from "./run-views.ts";
import { LiveLogs } from "../session-logs/live-logs.ts";
import { LogKeeper } from "../session-logs/log-keeper.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { Session } from "./session.ts";
import { commandSpan } from "./spans.ts";
import { WrittenStatus } from "./written-status.ts";

const controllerName = "agentic-session";

/** Its runner is connected for the first time; a resumed run, or another attempt, says nothing of how fast starts are. */
const isFirstStart = ({ status }: Session, phase: string): boolean =>
  phase === "Running" && status?.phase !== "Running" && status?.attempt === 1;

/** In seconds. The API server tells the creation in whole ones, so this may be up to one too long. */
const ageOf = ({ metadata }: Session): number =>
  Math.max(0, Date.now() - Date.parse(metadata.creationTimestamp)) / 1000;

export interface SessionControllerOptions extends ControllerParts {
  readonly settings: SessionSettings;
  /** The pool's token, read anew for each use. */
  readonly token: () => string;
  readonly version: string;
  readonly edge: EdgeHttp;
  /** How many idle pods there are, and when that may have changed; undefined: none are kept. */
  readonly warmPool:
    | { counts(): PoolStatus["warm"]; onChange(listener: () => void): void }
    | undefined;
}

/** Sessions of this cluster, for one pool of the edge. */
export class SessionController implements Controller {
  readonly name = controllerName;
  readonly #options: SessionControllerOptions;
  readonly #queue: WorkQueue;
  readonly #children: Children;
  readonly #written = new WrittenStatus();
  readonly #firstWord = new FirstWord();
  readonly #runs = new RunViews((run) => this.#wakeRun(run));
  readonly #identities: Identities;
  readonly #logs: LogKeeper;
  readonly #liveLogs: LiveLogs;
  readonly #socket: OperatorSocket;
  readonly #inner: Controller;
  /** Of the time in which this replica leads. */
  #api: KubeClient | undefined;

  constructor(options: SessionControllerOptions) {
    const { api, env, log, metrics, settings, token, version } = options;
    const { edgeUrl: url, pool } = settings;
    this.#options = options;
    this.#queue = new WorkQueue({ observer: metrics.queueObserver(controllerName) });
    this.#children = makeChildren({
      api,
      namespace: env.WATCH_NAMESPACE,
      onError: (kind, error) => {
        metrics.informerErrors.inc({ kind });
        log.warn("a watch failed", { kind, error });
      },
      onRelist: (kind) => metrics.relists.inc({ kind }),
    });
    this.#identities = makeIdentities(settings.identities);
    const onOpen = (isOpen: boolean): void => metrics.socketConnected.set(isOpen ? 1 : 0);
    const socket = { url, pool, token, version, operatorId: randomUUID(), log, onOpen };
    this.#socket = new OperatorSocket(socket, this.#handler());
    this.#logs = new LogKeeper({
      ...options,
      onSettled: ({ metadata }) => this.#queue.add(keyOf(metadata)),
    });
    const find = (runId: string, attempt: number) => findAttempt(this.#children, runId, attempt);
    this.#liveLogs = new LiveLogs({ ...options, url, find });
    this.#inner = this.#makeInner();
    metrics.countSessionsBy(() => this.#phases());
    wakeByChildren(this.#children, (key) => this.#queue.add(key));
    options.warmPool?.onChange(() => this.#socket.statusChanged());
    this.#children.sessions.subscribe(({ type, object }) => {
      this.#socket.statusChanged();
      if (type !== "deleted") return;
      const { runId } = (object.status ?? {}) as { readonly runId?: string };
      this.#written.forget(object.metadata.uid);
      this.#logs.forget(object.metadata.uid);
      this.#firstWord.forget(object.metadata.uid);
      this.#runs.forgetSession(object.metadata.uid, runId);
      this.#runs.sweep(this.#children.sessions.cache);
    });
  }

  get informers(): Controller["informers"] {
    return this.#inner.informers;
  }

  async lead(leadership: Leadership): Promise<void> {
    const { signal, assertHeld } = leadership;
    // What is not in a cache yet would look as if it were gone.
    await Promise.race([this.#children.synced, aborted(signal)]);
    // Another replica may have led since these were told.
    this.#runs.forgetAll();
    this.#api = this.#options.api.with({ signal, guard: assertHeld });
    this.#logs.lead({ api: this.#api, signal });
    this.#liveLogs.lead({ api: this.#api, signal });
    this.#socket.setLeader(true);
    this.#socket.open();
    try {
      await this.#inner.lead(leadership);
    } finally {
      this.#api = undefined;
      this.#socket.setLeader(false);
      this.#socket.close();
      this.#options.metrics.socketConnected.set(0);
    }
  }

  #makeInner(): Controller {
    const { api, env, log, metrics, recorder, settings, edge, tracer } = this.#options;
    const children = this.#children;
    const tools = {
      children,
      edge,
      runs: this.#runs,
      written: this.#written,
      firstWord: this.#firstWord,
      recorder,
      settings,
      tracer,
      logs: this.#logs,
      isLinked: () => this.#socket.isWelcome,
      send: (report: SessionReport, span: Span) => void this.#socket.report(report, span),
      warmed: (result: "hit" | "miss") => metrics.warmPoolHits.inc({ result }),
      entered: (session: Session, status: AgenticSessionStatus) => this.#entered(session, status),
    };
    return makeController({
      name: controllerName,
      api,
      primary: children.sessions,
      owned: [children.jobs, children.secrets],
      read: [children.pods, children.claims, ...children.warnings],
      queue: this.#queue,
      workers: env.WORKERS,
      observer: metrics.reconcileObserver(controllerName),
      onError: (key, error, retryInMs) => log.warn("reconcile failed", { key, error, retryInMs }),
      reconcile: (key, context) => reconcile(key, context, tools),
    });
  }

  #handler(): PoolHandler {
    return {
      start: (start) =>
        within(commandSpan(this.#options.tracer, start), () => obeyStart(start, this.#poolTools())),
      stop: (stop) => obeyStop(stop, this.#poolTools()),
      changed: this.#runs.put,
      follow: (log) => this.#liveLogs.follow(log),
      welcome: () => {
        this.#runs.forgetAll();
        for (const key of this.#children.sessions.cache.keys()) this.#queue.add(key);
      },
      confirmed: (key) => this.#wakeUid(this.#runs.confirm(key)),
      status: () => this.#poolStatus(),
    };
  }

  #poolStatus(): ReturnType<PoolHandler["status"]> {
    const warm = this.#options.warmPool?.counts() ?? { size: 0, ready: 0 };
    return { free: null, warm, sessions: this.#phases() };
  }

  #poolTools(): PoolTools {
    if (!this.#api) throw new Error("this replica does not lead");
    const { log, settings } = this.#options;
    const [children, identities, runs] = [this.#children, this.#identities, this.#runs];
    return { api: this.#api, children, identities, runs, settings, log };
  }

  #entered(session: Session, status: AgenticSessionStatus): void {
    const { phase = "Pending", reason = "", message = "", warmPod } = status;
    if (phase === session.status?.phase && reason === session.status.reason) return;
    const { metrics, recorder } = this.#options;
    metrics.phaseTransitions.inc({ phase, reason });
    const path = warmPod === undefined ? "cold" : "warm";
    if (isFirstStart(session, phase)) metrics.startSeconds.observe({ path }, ageOf(session));
    const type = phase === "Failed" ? "Warning" : "Normal";
    recorder.record(session, { type, reason, action: phase, note: message });
  }

  #wakeRun(run: SessionRun): void {
    const found = this.#children.sessions.cache.by("run", run.runId);
    for (const { metadata } of found) this.#queue.add(keyOf(metadata));
    if (run.session) this.#queue.add(keyOf(run.session));
  }

  #wakeUid(uid: string): void {
    for (const { metadata } of this.#children.sessions.cache.values()) {
      if (metadata.uid === uid) this.#queue.add(keyOf(metadata));
    }
  }

  #phases(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { status } of this.#children.sessions.cache.values()) {
      const { phase = "Pending" } = (status ?? {}) as { readonly phase?: string };
      counts[phase] = (counts[phase] ?? 0) + 1;
    }
    return counts;
  }
}
