import { limits, type RunSpec, type SessionRun, type SessionStop } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import type { PoolRpc, WaitingRun } from "../pool/pool-rpc.ts";
import { poolStub } from "../stubs.ts";
import type { RunRecord } from "./run-record.ts";
import { runnerOf } from "./state.ts";
import { sessionRunOf } from "./session-run.ts";

/** What the run has its pool, and through it the cluster's operator, do. */
export class Sessions {
  readonly #env: PlatformEnv;
  readonly #record: RunRecord;

  constructor(env: PlatformEnv, record: RunRecord) {
    this.#env = env;
    this.#record = record;
  }

  offer(attempt: number): Promise<void> {
    return offerAttempt(this.#env, this.#record.spec, attempt);
  }

  withdraw(): Promise<void> {
    const { spec, state } = this.#record;
    return this.#pool().withdraw(spec.runId, runnerOf(state.stage));
  }

  /** The current attempt's runner has not answered in time. Asked for again as long as that is so. */
  async stop(): Promise<void> {
    const { stage, attempt } = this.#record.state;
    const by = byOf(stage.kind);
    if (by === null) return;
    await this.#stop(attempt, by).catch(() => undefined);
  }

  /** Rejects when the pool did not take it. */
  fence(attempt: number): Promise<void> {
    return this.#stop(attempt, "fence");
  }

  tell(): Promise<void> {
    return this.#pool().runChanged(this.view());
  }

  view(): SessionRun {
    return sessionRunOf(this.#record.view());
  }

  #stop(attempt: number, by: SessionStop["by"]): Promise<void> {
    const { runId } = this.#record.spec;
    return this.#pool().stopSession({ runId, attempt, by, graceMs: limits.sessionStopGraceMs });
  }

  #pool(): PoolRpc {
    const { orgId, pool } = this.#record.spec;
    return poolStub(this.#env, orgId, pool);
  }
}

/** Has the pool offer the attempt to a runner, or have a session started for it. */
export function offerAttempt(env: PlatformEnv, spec: RunSpec, attempt: number): Promise<void> {
  const { orgId, projectId, runId, pool } = spec;
  const waiting: WaitingRun = { orgId, projectId, runId, attempt };
  const isCluster = spec.workspaceBackend === "cluster";
  return poolStub(env, orgId, pool).enqueue(isCluster ? { ...waiting, spec } : waiting);
}

function byOf(stage: string): "cancel" | "stop" | null {
  if (stage === "cancelling") return "cancel";
  return stage === "stopping" ? "stop" : null;
}
