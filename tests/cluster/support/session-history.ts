import type { KubeConfig } from "@kubernetes/client-node";
import { releaseAtEnd } from "../../support/cleanup.ts";
import { type Watched, watchCollection } from "./watch-collection.ts";

const sessions = "/apis/millrace.dev/v1alpha1/namespaces/default/agenticsessions";
const pods = "/api/v1/namespaces/default/pods";
const jobs = "/apis/batch/v1/namespaces/default/jobs";

/** How far a status is within its attempt; what is not named is before all that is. */
const steps: Readonly<Record<string, number>> = {
  Creating: 1,
  Running: 2,
  Waiting: 3,
  Stopping: 3,
};

/** What the API server tells of sessions and Jobs from now on, over its restarts too. */
export class SessionHistory {
  /** Every Job that was ever seen under a name. */
  readonly jobs = new Map<string, Set<string>>();
  /** What each session's status said, in order, as `phase attempt/endedAttempt`. */
  readonly said = new Map<string, readonly string[]>();
  /** Statuses that were behind the one before, which only a leader of yesterday can say. */
  readonly setbacks: string[] = [];
  /** Told of each session that says something new, and of each whose pod runs. */
  onNews: (name: string, news: { readonly phase: string } | "pod runs") => void = () => undefined;
  readonly #ranks = new Map<string, number>();

  /** Ends with the test. */
  static async begin(config: KubeConfig): Promise<SessionHistory> {
    const history = new SessionHistory();
    releaseAtEnd(await watchCollection(config, sessions, (seen) => history.#sawSession(seen)));
    releaseAtEnd(await watchCollection(config, pods, (seen) => history.#sawPod(seen)));
    releaseAtEnd(await watchCollection(config, jobs, (seen) => history.#sawJob(seen)));
    return history;
  }

  /** Jobs that were made more than once. */
  get doubled(): readonly string[] {
    return [...this.jobs].filter(([, uids]) => uids.size !== 1).map(([name]) => name);
  }

  #sawJob({ metadata: { name, uid } }: Watched): void {
    this.jobs.set(name, (this.jobs.get(name) ?? new Set()).add(uid));
  }

  #sawPod({ metadata, status }: Watched): void {
    const name = metadata.annotations?.["millrace.dev/session-name"];
    if (name !== undefined && status?.["phase"] === "Running") this.onNews(name, "pod runs");
  }

  #sawSession({ metadata: { name, uid }, status = {} }: Watched): void {
    const { phase, attempt = 0, endedAttempt = 0 } = status;
    const now = `${String(phase)} ${Number(attempt)}/${Number(endedAttempt)}`;
    const said = this.said.get(name) ?? [];
    if (said.at(-1) === now) return;
    this.said.set(name, [...said, now]);
    const rank = rankOf(String(phase), Number(attempt), Number(endedAttempt));
    if (rank < (this.#ranks.get(uid) ?? 0)) {
      this.setbacks.push(`${name}: ${said.at(-1) ?? ""} -> ${now}`);
    }
    this.#ranks.set(uid, rank);
    this.onNews(name, { phase: String(phase) });
  }
}

/** Of lives without a pause: what comes later has the higher one. */
function rankOf(phase: string, attempt: number, endedAttempt: number): number {
  if (phase === "Completed" || phase === "Failed") return Infinity;
  const step = endedAttempt === attempt ? 9 : (steps[phase] ?? 0);
  return attempt * 10 + (attempt === 0 ? 0 : step);
}
