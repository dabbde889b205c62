import { sessionExitCode, type Opening, type Outcome } from "@millrace/contracts";
import { claimAttempt } from "./attempt/claim-attempt.ts";
import type { LiveAttempt } from "./attempt/live-attempt.ts";
import { workOn, type Execute } from "./attempt/work-on.ts";
import type { Drainable } from "./drain.ts";
import type { Logger } from "./log.ts";
import type { ServedOrg } from "./served-org.ts";

export interface SessionRunnerOptions {
  readonly runnerId: string;
  readonly edgeUrl: string;
  readonly orgId: string;
  readonly runId: string;
  readonly attempt: number;
  /** Reads the run token where the operator renews it; undefined when it is not there. */
  readonly readToken: () => string | undefined;
  /** How long the edge may stay away before the attempt is given up unclaimed. */
  readonly edgeWaitMs: number;
  readonly servedOrg: ServedOrg;
  readonly log: Logger;
  readonly execute: Execute;
  /** What the engine would say first of a run that nobody has begun. */
  readonly opening?: Opening;
}

type ExitCode = (typeof sessionExitCode)[keyof typeof sessionExitCode];

/** Executes the one attempt that its pod was made for, and ends. It joins no pool. */
export class SessionRunner implements Drainable {
  readonly #options: SessionRunnerOptions;
  readonly #giveUp = new AbortController();
  #attempt: LiveAttempt | undefined;
  #done: Promise<unknown> = Promise.resolve();

  constructor(options: SessionRunnerOptions) {
    this.#options = options;
  }

  /** Resolves with the code that the process is to end with (contracts, session-pod.ts). */
  run(): Promise<ExitCode> {
    const done = this.#run();
    this.#done = done;
    return done;
  }

  /** A pod that is to go does not wait for its run's end: another one goes on with it at once. */
  async drain(): Promise<void> {
    this.handBack();
    await this.#done;
  }

  handBack(): void {
    this.#giveUp.abort();
    this.#attempt?.drain();
  }

  async #run(): Promise<ExitCode> {
    const { runId, attempt: number, edgeUrl, runnerId, orgId, readToken, opening } = this.#options;
    const log = this.#options.log.with({ runId, attempt: number });
    const token = readToken();
    if (token === undefined || !this.#options.servedOrg.claim(orgId)) {
      log.error("no run token, or the files of another organisation");
      return sessionExitCode.badSettings;
    }
    let code: ExitCode = sessionExitCode.done;
    const waited = setTimeout(() => {
      code = sessionExitCode.edgeUnreachable;
      this.#giveUp.abort();
    }, this.#options.edgeWaitMs);
    const claimed = await claimAttempt({
      offer: { runId, attempt: number, token },
      runnerId,
      edgeUrl,
      log,
      opening,
      readToken,
      onRefused: (because) => {
        if (because === "denied") code = sessionExitCode.tokenRefused;
      },
      signal: this.#giveUp.signal,
    });
    clearTimeout(waited);
    if (!claimed) return code;
    this.#attempt = claimed.attempt;
    if (this.#giveUp.signal.aborted) claimed.attempt.drain();
    try {
      await workOn(claimed, this.#options.execute, log);
    } finally {
      claimed.attempt.close();
    }
    return codeOf(claimed.attempt.outcome);
  }
}

/** The platform knows already; the code is for whoever looks at the pod. */
function codeOf(outcome: Outcome | undefined): ExitCode {
  if (outcome?.kind !== "failed") return sessionExitCode.done;
  if (outcome.code === "repository_failed") return sessionExitCode.repositoryFailed;
  if (outcome.code === "mcp_server_failed") return sessionExitCode.mcpServerFailed;
  return sessionExitCode.done;
}
