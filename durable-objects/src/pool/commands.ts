import { RunSpec, SessionStop, type PoolToOperator, type SessionStart } from "@millrace/contracts";
import { runTokenTtlMs, signRunToken } from "../run-token.ts";
import type { CommandStore, StoredCommand } from "./command-store.ts";
import { resendDelay } from "./decide-leader.ts";
import { tell, type Operators } from "./operators.ts";
import type { WaitingRun } from "./pool-rpc.ts";
import { z } from "zod";

type Command = Extract<PoolToOperator, { readonly type: "session.start" | "session.stop" }>;
type Warm = NonNullable<SessionStart["warm"]>;

const StartBody = z.object({
  spec: RunSpec,
  warm: z.object({ runnerId: z.string(), podName: z.string().nullable() }).nullable(),
});
const StopBody = SessionStop.pick({ by: true, graceMs: true });

/** What the operator is told to do, sent again until it says that it has it. */
export class Commands {
  readonly #store: CommandStore;
  readonly #operators: Operators;
  readonly #tokenSecret: string;

  constructor(store: CommandStore, operators: Operators, tokenSecret: string) {
    this.#store = store;
    this.#operators = operators;
    this.#tokenSecret = tokenSecret;
  }

  /** A session for this attempt: in a pod of its own, or in the warm one whose runner has accepted. */
  start({ runId, attempt }: WaitingRun, spec: RunSpec, warm: Warm | null = null): void {
    const kind = warm ? "adopt" : "start";
    this.#store.removeStarts(runId, attempt - 1);
    const body = JSON.stringify({ spec, warm });
    this.#store.save({ key: keyOf(kind, runId, attempt), runId, attempt, kind, body }, Date.now());
  }

  stop({ runId, attempt, by, graceMs }: Omit<SessionStop, "type" | "key">): void {
    this.#store.removeStarts(runId, attempt);
    const body = JSON.stringify({ by, graceMs });
    const key = keyOf("stop", runId, attempt);
    this.#store.save({ key, runId, attempt, kind: "stop", body }, Date.now());
  }

  /** The attempt was claimed, or needs no runner: no session is to be started for it. One that is to be adopted is there. */
  withdraw(runId: string): void {
    this.#store.removeStarts(runId, Number.MAX_SAFE_INTEGER);
  }

  confirmed(key: string): void {
    this.#store.remove(key);
  }

  /** A new leader is told everything. */
  async retell(): Promise<void> {
    this.#store.allDue(Date.now());
    await this.send();
  }

  /** Sends what is due. Without a leader it stays. */
  async send(): Promise<void> {
    for (const command of this.#store.due(Date.now())) {
      const message = await this.#messageOf(command);
      // Signing let others in: it may be confirmed or withdrawn by now, and the leader another one.
      const leader = this.#operators.leader();
      if (leader === null) return;
      if (this.#store.get(command.key) === null || !tell(leader, message)) continue;
      this.#store.sent(command.key, command.tries + 1, Date.now() + resendDelay(command.tries));
    }
  }

  /** When something is to be sent again; null: nothing is, or nobody could be told. */
  nextAt(): number | null {
    return this.#operators.leader() === null ? null : this.#store.nextAt();
  }

  async #messageOf({ key, runId, attempt, kind, body }: StoredCommand): Promise<Command> {
    if (kind === "stop") {
      return { type: "session.stop", key, runId, attempt, ...StopBody.parse(JSON.parse(body)) };
    }
    const { spec, warm } = StartBody.parse(JSON.parse(body));
    const { orgId, projectId } = spec;
    const claims = { org: orgId, run: runId, attempt };
    const token = await signRunToken(claims, this.#tokenSecret, Date.now());
    const ids = { key, runId, attempt, orgId, projectId };
    return {
      type: "session.start",
      ...ids,
      spec,
      token,
      tokenExpiresInMs: runTokenTtlMs,
      warm,
    };
  }
}

function keyOf(kind: StoredCommand["kind"], runId: string, attempt: number): string {
  return `${kind}:${runId}:${attempt}`;
}
