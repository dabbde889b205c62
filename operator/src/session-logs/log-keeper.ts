import { type Logger, makeRedactor, limits, type Redactor } from "@millrace/contracts";
import type { Pod } from "../agentic-session/facts.ts";
import { isPodOver, startedContainers } from "../agentic-session/pod-facts.ts";
import type { SessionSettings } from "../agentic-session/session-settings.ts";
import type { Session } from "../agentic-session/session.ts";
import { isPassing } from "../edge/edge-answer.ts";
import type { EdgeHttp } from "../edge/edge-http.ts";
import { backoffMs } from "../kube/backoff.ts";
import { type Clock, sleep, systemClock } from "../kube/clock.ts";
import type { EventRecorder } from "../kube/event-recorder.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { hiddenValues } from "./hidden-values.ts";
import type { Keeping } from "./keeping.ts";
import { type ReadLog, readLog } from "./read-log.ts";

export interface LogKeeperOptions {
  readonly edge: Pick<EdgeHttp, "keepLog">;
  readonly settings: Pick<SessionSettings, "providerSecret" | "tracing">;
  readonly recorder: Pick<EventRecorder, "record">;
  readonly log: Logger;
  /** What became of a session's logs is known. */
  readonly onSettled: (session: Session) => void;
  readonly clock?: Clock;
  /** From the first try to the end of all tries. */
  readonly giveUpMs?: number;
  /** Of memory, for all logs that are being read or wait for the platform. */
  readonly budgetBytes?: number;
}

/** One pod whose logs are to be kept. */
export interface KeepOrder {
  readonly session: Session;
  readonly runId: string;
  readonly attempt: number;
  readonly pod: Pod;
}

interface Entry {
  readonly podUid: string;
  keeping: Keeping;
}

/** The time in which this replica leads, and with what it reads. */
interface Term {
  readonly api: Pick<KubeClient, "request" | "get">;
  readonly signal: AbortSignal;
}

/** A platform that cannot be reached holds pods back for so long. */
const defaultGiveUpMs = 10 * 60_000;
/** A pod that is told to end waits so long for its log to be open. */
const attachMs = 3000;
/** Beyond it each log still has `leastBytes`. */
const defaultBudgetBytes = 64 * 1024 * 1024;
const leastBytes = 32 * 1024;
const sendAgain = { firstMs: 500, longestMs: 15_000 };
/** A pod's log waits no longer than this for the API server to say what is secret in it. */
const secretTries = 5;

/**
 * Brings the logs of pods that end to the platform, while the reconciler does other things. Of a pod that still lives the log is followed to
 * its end: kubelet throws away the logs of a pod that was deleted with its last process, so who asks afterwards comes too late.
 */
export class LogKeeper {
  readonly #options: LogKeeperOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Map<number, Entry>>();
  #term: Term | undefined;
  #reading = 0;
  /** Of logs that are read and not yet with the platform: it may be away for long. */
  #heldBytes = 0;

  constructor(options: LogKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Works until the signal aborts; then it knows nothing any more. */
  lead(term: Term): void {
    this.#term = term;
    term.signal.addEventListener("abort", () => this.#resign(term), { once: true });
  }

  /** Of this pod; where there is none any more, of the one that was read. */
  of({ metadata }: Session, attempt: number, pod: Pod | undefined): Keeping | undefined {
    const known = this.#entries.get(metadata.uid)?.get(attempt);
    const isOther = pod !== undefined && known?.podUid !== pod.metadata.uid;
    return isOther ? undefined : known?.keeping;
  }

  forget(sessionUid: string): void {
    this.#entries.delete(sessionUid);
  }

  /** Begins, unless it has already. Resolves when nothing that the pod writes from now on is missed, or that takes too long. */
  async keep(order: KeepOrder): Promise<void> {
    const term = this.#term;
    if (!term || this.#knows(order)) return;
    const entry: Entry = { podUid: order.pod.metadata.uid, keeping: { kind: "pending" } };
    this.#remember(order, entry);
    const { promise: attached, resolve } = Promise.withResolvers<void>();
    void this.#keepAll(order, entry, term, resolve).finally(resolve);
    await Promise.race([attached, sleep(this.#clock, attachMs, term.signal)]);
  }

  #knows({ session, attempt, pod }: KeepOrder): boolean {
    const known = this.#entries.get(session.metadata.uid)?.get(attempt);
    return known?.podUid === pod.metadata.uid;
  }

  #remember({ session, attempt }: KeepOrder, entry: Entry): void {
    const ofSession = this.#entries.get(session.metadata.uid) ?? new Map<number, Entry>();
    ofSession.set(attempt, entry);
    this.#entries.set(session.metadata.uid, ofSession);
  }

  async #keepAll(
    order: KeepOrder,
    entry: Entry,
    term: Term,
    onAttached: () => void,
  ): Promise<void> {
    try {
      entry.keeping = await this.#keepContainers(order, term, onAttached);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      entry.keeping = { kind: "lost", what };
    }
    if (term.signal.aborted) return;
    const { onSettled, recorder } = this.#options;
    if (entry.keeping.kind === "lost") {
      const note = `Logs of attempt ${order.attempt} are not kept: ${entry.keeping.what}`;
      recorder.record(order.session, {
        type: "Warning",
        action: "KeepLogs",
        reason: "LogsNotKept",
        note,
      });
    }
    onSettled(order.session);
  }

  async #keepContainers(order: KeepOrder, term: Term, onAttached: () => void): Promise<Keeping> {
    const { session, attempt, pod } = order;
    const redactor = await this.#redactorFor(session, attempt, term);
    const started = startedContainers(pod);
    let unopened = started.length;
    const onOpen = (): void => {
      unopened -= 1;
      if (unopened === 0) onAttached();
    };
    const deadline = this.#clock.monotonic() + (this.#options.giveUpMs ?? defaultGiveUpMs);
    const all = await Promise.all(
      started.map(async ({ name, isRunning }) => {
        const follow = isRunning && !isPodOver(pod);
        const log = await this.#read(order, { container: name, follow, redactor, onOpen }, term);
        if (!log.ok) return { bytes: 0, lost: `${name}: ${log.why}` };
        this.#heldBytes += log.bytes.length;
        const refused = await this.#send(order, name, log.bytes, { deadline, term }).finally(() => {
          this.#heldBytes -= log.bytes.length;
        });
        return refused === undefined
          ? { bytes: log.bytes.length }
          : { bytes: 0, lost: `${name}: ${refused}` };
      }),
    );
    const lost = all.flatMap((one) => ("lost" in one ? [one.lost] : []));
    if (lost.length > 0) return { kind: "lost", what: lost.join("; ") };
    const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
    return { kind: "kept", containers: started.length, bytes };
  }

  /** Nothing is read before it is known what must not be shown of it. */
  async #redactorFor(session: Session, attempt: number, { api, signal }: Term): Promise<Redactor> {
    for (let tries = 1; ; tries += 1) {
      try {
        return makeRedactor(await hiddenValues(session, attempt, this.#options.settings, api));
      } catch (error) {
        if (tries >= secretTries || signal.aborted) throw error;
        await sleep(this.#clock, backoffMs(sendAgain, tries), signal);
      }
    }
  }

  async #read(
    { pod }: KeepOrder,
    how: {
      readonly container: string;
      readonly follow: boolean;
      readonly redactor: Redactor;
      readonly onOpen: () => void;
    },
    { api, signal }: Term,
  ): Promise<ReadLog> {
    this.#reading += 1;
    try {
      const clock = this.#clock;
      return await readLog(api, pod, { ...how, maxBytes: this.#share, signal, clock });
    } finally {
      this.#reading -= 1;
    }
  }

  readonly #share = (): number => {
    const { budgetBytes = defaultBudgetBytes } = this.#options;
    const share = Math.floor((budgetBytes - this.#heldBytes) / Math.max(this.#reading, 1));
    return Math.min(limits.sessionLogMaxBytes, Math.max(leastBytes, share));
  };

  /** Undefined: the platform has it. Else why not. */
  async #send(
    { session, runId, attempt }: KeepOrder,
    container: string,
    text: Uint8Array<ArrayBuffer>,
    { deadline, term }: { readonly deadline: number; readonly term: Term },
  ): Promise<string | undefined> {
    const { edge } = this.#options;
    const retainSeconds = session.spec.retention.logs * 86_400;
    for (let tries = 1; ; tries += 1) {
      const kept = await edge.keepLog({ runId, attempt, container }, text, retainSeconds);
      if (kept.ok) return undefined;
      const isOver = this.#clock.monotonic() >= deadline || term.signal.aborted;
      if (!isPassing(kept.code) || isOver) return `${kept.code}: ${kept.message}`;
      await sleep(this.#clock, backoffMs(sendAgain, tries), term.signal);
    }
  }

  #resign(term: Term): void {
    if (this.#term !== term) return;
    this.#term = undefined;
    this.#entries.clear();
  }
}
