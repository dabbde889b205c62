import type { SessionRun } from "@millrace/contracts";
import type { StoredSession } from "./session.ts";

/** The sessions that there are. */
interface Sessions {
  readonly size: number;
  values(): Iterable<Pick<StoredSession, "metadata" | "status">>;
}

/** So many entries per session are what there may be, and so many beside. */
const perSession = 4;
const spare = 1000;

/** Runs as the platform last told of them, and which reports it has confirmed. Memory only: both can be asked again. */
export class RunViews {
  readonly #runs = new Map<string, SessionRun>();
  readonly #bySession = new Map<string, string>();
  readonly #confirmed = new Map<string, Set<string>>();
  readonly #onChange: (run: SessionRun) => void;

  constructor(onChange: (run: SessionRun) => void) {
    this.#onChange = onChange;
  }

  get(runId: string): SessionRun | undefined {
    return this.#runs.get(runId);
  }

  /** Also when the view of it is forgotten: the status may not say it yet. */
  idOfSession(uid: string): string | undefined {
    return this.#bySession.get(uid);
  }

  /** As `keep`, and whoever is concerned is woken. */
  readonly put = (run: SessionRun): void => {
    if (this.keep(run)) this.#onChange(run);
  };

  /** An older view than the one that is known changes nothing. Returns whether it was news. */
  keep(run: SessionRun): boolean {
    const known = this.#runs.get(run.runId);
    if (known && known.version >= run.version) return false;
    this.#runs.set(run.runId, run);
    if (run.session) this.#bySession.set(run.session.uid, run.runId);
    return true;
  }

  /** Views may be old by now; each session asks for its own again. */
  forgetAll(): void {
    this.#runs.clear();
  }

  forgetSession(uid: string, runId: string | undefined): void {
    this.#confirmed.delete(uid);
    this.#bySession.delete(uid);
    if (runId !== undefined) this.#runs.delete(runId);
  }

  /**
   * What is told of a run after its session has gone, or of a start that was refused, belongs to nobody who would have it
   * forgotten: once there is much of that, it goes. A view that goes too early is asked for again.
   */
  sweep(sessions: Sessions): void {
    const entries = this.#runs.size + this.#bySession.size + this.#confirmed.size;
    if (entries <= perSession * sessions.size + spare) return;
    const here = Array.from(sessions.values());
    const uids = new Set(here.map(({ metadata }) => metadata.uid));
    const runIds = new Set(
      here.map(({ status }) => (status as { runId?: string } | undefined)?.runId),
    );
    for (const uid of this.#confirmed.keys()) if (!uids.has(uid)) this.#confirmed.delete(uid);
    for (const uid of this.#bySession.keys()) if (!uids.has(uid)) this.#bySession.delete(uid);
    for (const runId of this.#runs.keys()) if (!runIds.has(runId)) this.#runs.delete(runId);
  }

  confirm(key: string): string {
    const uid = key.slice(0, key.indexOf("/"));
    const keys = this.#confirmed.get(uid) ?? new Set();
    keys.add(key);
    this.#confirmed.set(uid, keys);
    return uid;
  }

  confirmed(uid: string): ReadonlySet<string> {
    return this.#confirmed.get(uid) ?? new Set();
  }
}
