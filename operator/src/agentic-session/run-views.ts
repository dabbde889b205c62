import type { SessionRun } from "@millrace/contracts";

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

  ofSession(uid: string): SessionRun | undefined {
    return this.#runs.get(this.#bySession.get(uid) ?? "");
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
