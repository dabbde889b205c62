import type { Outcome, Redactor, RunnerEvent } from "@millrace/contracts";
import type { Attempt, AttemptEvent } from "../attempt/attempt.ts";
import { boundEvent, boundOutcome } from "./bound-event.ts";
import type { EngineStep } from "./step.ts";

/**
 * The only way from the engine to the log. Every event passes the redactor here, and one that the log would
 * not take goes on as a preview with the whole beside it; a step counts as made once it is durable together with its events.
 */
export class Journal {
  readonly #attempt: Attempt;
  readonly #redactor: Redactor;
  readonly #steps: EngineStep[];
  #messages = 0;

  constructor(attempt: Attempt, steps: readonly EngineStep[], redactor: Redactor) {
    this.#attempt = attempt;
    this.#redactor = redactor;
    this.#steps = [...steps];
  }

  /** The steps of all attempts so far, in order. */
  get steps(): readonly EngineStep[] {
    return this.#steps;
  }

  /** An id that no other message of the run has. */
  newMessageId(): string {
    this.#messages += 1;
    return `m${this.#attempt.claimed.attempt}-${this.#messages}`;
  }

  emit(event: RunnerEvent): void {
    this.#attempt.emit(this.#clean(event));
  }

  commit(events: readonly RunnerEvent[]): Promise<void> {
    return this.#attempt.commit(events.map((event) => this.#clean(event)));
  }

  async record(events: readonly RunnerEvent[], step: EngineStep): Promise<void> {
    await this.#attempt.commit(
      events.map((event) => this.#clean(event)),
      step,
    );
    this.#steps.push(withoutPack(step));
  }

  finish(outcome: Outcome, events: readonly RunnerEvent[]): Promise<void> {
    const clean = events.map((event) => this.#clean(event));
    return this.#attempt.finish(boundOutcome(this.#redactor.json(outcome)), clean);
  }

  /** Redacted first: half a secret is none that the redactor knows. */
  #clean(event: RunnerEvent): AttemptEvent {
    return boundEvent(this.#redactor.json(event));
  }
}

/** Packs are for another runner, which gets them from the platform: here they would only fill the memory. */
function withoutPack(step: EngineStep): EngineStep {
  if (step.kind !== "tool" || !step.files) return step;
  return { ...step, files: { tree: step.files.tree, pack: null } };
}
