import { createHash } from "node:crypto";
import type { EventsV1Event } from "@kubernetes/client-node";
import { isApiError } from "./api-error.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Draft, type KubeObject, type Stored, defineKind } from "./kind.ts";
import type { KubeClient } from "./kube-client.ts";
import { TokenBucket } from "./token-bucket.ts";

type Event = Stored<EventsV1Event>;
const events = defineKind<Event>("events.k8s.io/v1", "Event", "events");

export interface EventFacts {
  readonly type: "Normal" | "Warning";
  /** CamelCase, why; at most 128 characters. */
  readonly reason: string;
  /** CamelCase, what was done; at most 128 characters. */
  readonly action: string;
  /** For people; cut at 1024 characters. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly api: Pick<KubeClient, "create" | "get" | "patch">;
  /** `millrace.dev/operator` */
  readonly controller: string;
  /** The process. */
  readonly instance: string;
  readonly clock?: Clock;
  /** The same Event again within this time only counts; the count is written at the end of it. */
  readonly aggregateMs?: number;
  /** Different Events about one object: so many at once, then one per `refillMs`. */
  readonly burst?: number;
  readonly refillMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** One Event as it stands in the cluster, and what is not written of it yet. */
interface Series {
  readonly draft: Draft<Event>;
  unwritten: number;
  /** We made it; what another process made is found out by the attempt. */
  isCreated: boolean;
  lastSeen: number;
  cancel: (() => void) | undefined;
}

/**
 * Says in `kubectl describe` what happened. `record` returns at once; writing is best effort
 * and never fails a reconcile. The same Event again becomes a series with a count, by the name that
 * its content has: also after a restart, and from another replica.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, TokenBucket>();
  #writing: Promise<void> = Promise.resolve();
  #pending = 0;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Events that were left out because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  record(about: KubeObject, facts: EventFacts): void {
    const draft = this.#draft(about, facts);
    const known = this.#series.get(draft.metadata.name);
    if (known) {
      known.unwritten += 1;
      known.lastSeen = this.#clock.now();
      return;
    }
    if (this.#pending >= maxPending || !this.#budgetOf(about).tryTake()) {
      this.#dropped += 1;
      return;
    }
    this.#open(draft);
  }

  /** Writes what is not written yet. For the end of the process. */
  async flush(): Promise<void> {
    for (const series of this.#series.values()) this.#close(series);
    this.#budgets.clear();
    await this.#writing;
  }

  #open(draft: Draft<Event>): void {
    const series: Series = {
      draft,
      unwritten: 1,
      isCreated: false,
      lastSeen: this.#clock.now(),
      cancel: undefined,
    };
    this.#series.set(draft.metadata.name, series);
    this.#enqueue(series);
    const { aggregateMs = 30_000 } = this.#options;
    series.cancel = this.#clock.schedule(aggregateMs, () => this.#close(series));
    if (this.#budgets.size > maxBudgets) this.#budgets.clear();
  }

  #close(series: Series): void {
    series.cancel?.();
    this.#series.delete(series.draft.metadata.name);
    this.#enqueue(series);
  }

  /** One after the other: a burst of Events must not compete with reconciles for the API. */
  #enqueue(series: Series): void {
    this.#pending += 1;
    this.#writing = this.#writing
      .then(() => this.#write(series))
      .catch((error: unknown) => this.#options.onError?.(error))
      .finally(() => {
        this.#pending -= 1;
      });
  }

  async #write(series: Series): Promise<void> {
    const { unwritten } = series;
    if (unwritten === 0) return;
    series.unwritten = 0;
    if (!series.isCreated && (await this.#created(series, unwritten))) {
      series.isCreated = true;
      return;
    }
    await this.#count(series, unwritten);
  }

  async #created({ draft, lastSeen }: Series, count: number): Promise<boolean> {
    const series = { count, lastObservedTime: micro(lastSeen) };
    try {
      await this.#options.api.create(events, count > 1 ? { ...draft, series } : draft);
      return true;
    } catch (error) {
      if (isApiError(error, "already_exists")) return false;
      throw error;
    }
  }

  async #count({ draft, lastSeen }: Series, more: number): Promise<void> {
    const { api } = this.#options;
    const found = await api.get(events, draft.metadata);
    // Expired between the two requests; the next one creates it anew.
    if (!found) return;
    const count = (found.series?.count ?? 1) + more;
    const { resourceVersion } = found.metadata;
    const series = { count, lastObservedTime: micro(lastSeen) };
    await api.patch(events, draft.metadata, { metadata: { resourceVersion }, series });
  }

  #budgetOf(about: KubeObject): TokenBucket {
    const { burst = 25, refillMs = 60_000 } = this.#options;
    const known = this.#budgets.get(about.metadata.uid);
    if (known) return known;
    const budget = new TokenBucket({ perSecond: 1000 / refillMs, burst }, this.#clock);
    this.#budgets.set(about.metadata.uid, budget);
    return budget;
  }

  #draft(about: KubeObject, facts: EventFacts): Draft<Event> {
    const { controller, instance } = this.#options;
    const { apiVersion, kind, metadata } = about;
    const { name, namespace, uid, resourceVersion } = metadata;
    const note = facts.note.length > maxNote ? `${facts.note.slice(0, maxNote - 1)}…` : facts.note;
    const content = JSON.stringify([uid, facts.type, facts.reason, facts.action, note, controller]);
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
    return {
      // Objects without a namespace have their Events in "default".
      metadata: { name: `${name.slice(0, 200)}.${hash}`, namespace: namespace ?? "default" },
      ...facts,
      note,
      eventTime: micro(this.#clock.now()),
      reportingController: controller,
      reportingInstance: instance,
      regarding: {
        apiVersion,
        kind,
        name,
        uid,
        resourceVersion,
        ...(namespace !== undefined && { namespace }),
      },
    };
  }
}

const maxNote = 1024;
const maxPending = 1000;
const maxBudgets = 10_000;

/** metav1.MicroTime. */
const micro = (at: number): string => new Date(at).toISOString().replace("Z", "000Z");
