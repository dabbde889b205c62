import { setTimeout as sleep } from "node:timers/promises";
import type { Claimed, EventData } from "@millrace/contracts";
import { within, type Span } from "@millrace/telemetry";
import { AttemptFenced } from "../attempt/attempt.ts";
import type { Logger } from "../log.ts";
import { ArchiveTooLarge } from "../workspaces/archive-workspace.ts";
import type { Workspace } from "../workspaces/workspace.ts";
import type { Journal } from "./journal.ts";
import { commitMessage, pushRepos } from "./push-repos.ts";
import { RunFailed } from "./run-failed.ts";
import { findStep } from "./transcript.ts";

type Committed = EventData["workspace.committed"];

interface ArchiveEnd {
  readonly event: EventData["workspace.archived"];
  /** Another try would end the same. */
  readonly isFinal: boolean;
}

const storeTries = 3;

/** What there is of a run at its end. */
export interface Belongings {
  readonly workspace: Workspace;
  readonly journal: Journal;
  readonly spec: Claimed["spec"];
  /** Aborts for good. What others see (a push) ends with it; putting files away does not. */
  readonly stop: AbortSignal;
  readonly span: Span;
  readonly log: Logger;
}

/**
 * Puts the work of a run away: commit, state for the next runner, archive for the user. Each is begun
 * at most once in an attempt, also when a cancel takes the run's end out of the hands of what began it.
 */
export class Finish {
  readonly #of: Belongings;
  #committing: Promise<Committed> | undefined;
  #archiving: Promise<ArchiveEnd> | undefined;
  #saidCommit: boolean;
  #saidArchive: boolean;

  constructor(of: Belongings) {
    this.#of = of;
    this.#saidCommit = findStep(of.journal.steps, "committed") !== undefined;
    this.#saidArchive = findStep(of.journal.steps, "archived") !== undefined;
  }

  /** For a run that succeeded: every part is a step, and a later attempt goes on after the last one. */
  async checkpointed(): Promise<void> {
    const { journal } = this.#of;
    if (!findStep(journal.steps, "committed")) {
      const data = await this.#commit();
      this.#saidCommit = true;
      await journal.record([{ type: "workspace.committed", data }], { kind: "committed" });
    }
    await pushRepos(this.#of);
    if (findStep(journal.steps, "archived")) return;
    const { event, isFinal } = await this.#archive();
    this.#saidArchive = true;
    if (isFinal) {
      const key = event.outcome === "stored" ? event.key : null;
      return journal.record([{ type: "workspace.archived", data: event }], {
        kind: "archived",
        key,
      });
    }
    await journal.commit([{ type: "workspace.archived", data: event }]);
    throw new RunFailed("archive_failed", "The workspace could not be stored.", {
      retryable: true,
    });
  }

  /** For a run that failed: no steps, since a run that is tried again must commit and archive again. */
  async reported(): Promise<void> {
    const { journal } = this.#of;
    const committed = await this.#commit();
    if (!this.#saidCommit) journal.emit({ type: "workspace.committed", data: committed });
    this.#saidCommit = true;
    const { event } = await this.#archive();
    if (!this.#saidArchive) journal.emit({ type: "workspace.archived", data: event });
    this.#saidArchive = true;
  }

  /** For a run that is over already: what happens here is only logged. */
  async silently(): Promise<void> {
    await this.#commit();
    const { event } = await this.#archive();
    if (event.outcome === "failed") {
      this.#of.log.error("workspace of a cancelled run not stored", { error: event.error });
    }
  }

  /** Resolves when nothing that was begun is under way. The workspace may not be let go before. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#committing, this.#archiving]);
  }

  #commit(): Promise<Committed> {
    this.#committing ??= within(this.#of.span.child("commit"), (span) => this.#commitOnce(span));
    return this.#committing;
  }

  async #commitOnce(span: Span): Promise<Committed> {
    try {
      return await this.#of.workspace.commit(commitMessage(this.#of.spec));
    } catch (error) {
      if (error instanceof AttemptFenced) throw error;
      span.end({ error: "commit_failed" });
      return { outcome: "failed", error: messageOf(error) };
    }
  }

  #archive(): Promise<ArchiveEnd> {
    this.#archiving ??= within(this.#of.span.child("archive"), (span) => this.#archiveOnce(span));
    return this.#archiving;
  }

  async #archiveOnce(span: Span): Promise<ArchiveEnd> {
    const { workspace } = this.#of;
    try {
      await this.#withRetries(() => workspace.storeState());
      const stored = await this.#withRetries(() => workspace.archive());
      return { event: { outcome: "stored", ...stored }, isFinal: true };
    } catch (error) {
      if (error instanceof AttemptFenced) throw error;
      span.end({ error: "archive_failed" });
      // Too large or too many files: it was tried, and will not get better.
      const isFinal = error instanceof ArchiveTooLarge;
      return { event: { outcome: "failed", error: messageOf(error) }, isFinal };
    }
  }

  async #withRetries<T>(store: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await store();
      } catch (error) {
        // What was refused for what it is (too large, too many files) is refused again.
        if (error instanceof AttemptFenced || error instanceof ArchiveTooLarge) throw error;
        if (tries >= storeTries) throw error;
        this.#of.log.warn("workspace not stored, trying again", { error, tries });
        await sleep(1_000 * tries);
      }
    }
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
