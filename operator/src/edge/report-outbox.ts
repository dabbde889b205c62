import type { SessionReport } from "@millrace/contracts";
import { noSpan, type Span } from "@millrace/telemetry";
import { backoffMs } from "../kube/backoff.ts";
import type { Clock } from "../kube/clock.ts";

const bounds = { firstMs: 10_000, longestMs: 300_000 };

interface Waiting {
  readonly report: SessionReport;
  readonly span: Span;
  readonly confirmed: PromiseWithResolvers<void>;
  tries: number;
  cancel: () => void;
}

/** Reports that nobody has confirmed. Their truth is in the sessions' status; this only sends. */
export class ReportOutbox {
  readonly #clock: Clock;
  readonly #send: (report: SessionReport) => boolean;
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock, send: (report: SessionReport) => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Resolves when the platform has it; never, when this is cleared before. `span` ends with it. */
  add(report: SessionReport, span: Span = noSpan): Promise<void> {
    const known = this.#waiting.get(report.key);
    if (known) return known.confirmed.promise;
    const confirmed = Promise.withResolvers<void>();
    const waiting: Waiting = { report, span, confirmed, tries: 0, cancel: () => undefined };
    this.#waiting.set(report.key, waiting);
    this.#try(waiting);
    return confirmed.promise;
  }

  confirm(key: string): void {
    const waiting = this.#waiting.get(key);
    waiting?.cancel();
    waiting?.span.end();
    waiting?.confirmed.resolve();
    this.#waiting.delete(key);
  }

  /** A new connection stands. */
  sendAll(): void {
    for (const waiting of this.#waiting.values()) {
      waiting.cancel();
      waiting.tries = 0;
      this.#try(waiting);
    }
  }

  clear(): void {
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  #try(waiting: Waiting): void {
    this.#send(waiting.report);
    waiting.tries += 1;
    const delay = backoffMs(bounds, waiting.tries);
    waiting.cancel = this.#clock.schedule(delay, () => this.#try(waiting));
  }
}
