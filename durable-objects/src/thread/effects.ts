import { limits } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import type { Release, RunReport, RunRpc } from "../run/run-rpc.ts";
import { runStub } from "../stubs.ts";
import { decideConversation } from "./decide-conversation.ts";
import type { DueList } from "./due-list.ts";
import { registerProject } from "./registry.ts";
import type { StoredRun } from "./state.ts";
import type { ThreadStore } from "./store.ts";

/** What a thread does to the world outside. Each effect may be repeated, and settles its due item once it is confirmed. */
export class ThreadEffects {
  readonly #env: PlatformEnv;
  readonly #store: ThreadStore;
  readonly #due: DueList;

  constructor(env: PlatformEnv, store: ThreadStore, due: DueList) {
    this.#env = env;
    this.#store = store;
    this.#due = due;
  }

  /** Tells the run object its spec and, when its predecessors are over, that it may go: then readers find the run. */
  async start(run: StoredRun): Promise<void> {
    const release = run.releasedAt === null ? undefined : this.#releaseOf(run);
    await this.#stub(run).init(run.spec, release);
  }

  /** The run object has answered: nothing more is owed of what `start` told it about `run`. */
  started(run: StoredRun): void {
    this.#store.transaction(() => {
      this.#due.settle("init", run.runId);
      if (run.releasedAt !== null) this.#due.settle("release", run.runId);
    });
  }

  /** What the run would report, from itself; null: its object does not know it. */
  async ask(run: StoredRun): Promise<RunReport | null> {
    const answer = await this.#stub(run).view();
    return answer.ok ? { view: answer.view, workspace: answer.workspace } : null;
  }

  /** Brings the project's row in D1 up to date. */
  async register(): Promise<void> {
    const thread = this.#store.thread();
    if (!thread) return;
    await registerProject(this.#env.DB, thread);
    this.#store.transaction(() => {
      if (this.#store.markRegistered(thread.updatedAt)) this.#due.settle("register", "");
    });
  }

  #stub(run: StoredRun): RunRpc {
    return runStub(this.#env, run.spec.orgId, run.runId);
  }

  #releaseOf(run: StoredRun): Release {
    const turns = this.#store.turnsBefore(run.runIndex);
    return {
      conversation: decideConversation(turns, limits.conversationMaxChars),
      workspace: this.#store.workspaceBefore(run.runIndex),
    };
  }
}
