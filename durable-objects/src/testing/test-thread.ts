import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { RunToRunner } from "@millrace/contracts";
import type { Claimed, RunView, WorkspaceState } from "@millrace/contracts";
import { vi } from "vitest";
import { objectNames } from "../platform-env.ts";
import type { PlatformEnv } from "../platform-env.ts";
import { threadStub } from "../stubs.ts";
import { ThreadObject } from "../thread/thread-object.ts";
import type { NewRun, ThreadRun } from "../thread/thread-rpc.ts";

export const orgId = "org";
/** A thread by its name, and by its agreed interface. */
export function threadOf(projectId: string) {
  const stub = env.THREADS.getByName(objectNames.thread(orgId, projectId));
  return { projectId, stub, rpc: threadStub(env, orgId, projectId) };
}

/** A thread of its own for one test. */
export async function openThread() {
  const projectId = `project-${crypto.randomUUID()}`;
  const thread = threadOf(projectId);
  await thread.rpc.open(orgId, projectId, "A project", 1000);
  return thread;
}

export type Thread = ReturnType<typeof threadOf>;

export function request(change: Partial<NewRun> = {}): NewRun {
  return {
    runId: crypto.randomUUID(),
    kind: "run",
    prompt: "Do it",
    input: null,
    provider: null,
    model: null,
    workspaceBackend: "host",
    pool: "nobody",
    admitted: true,
    owner: "key:k",
    idempotencyKey: crypto.randomUUID(),
    fingerprint: "f",
    now: Date.now(),
    ...change,
  };
}

export async function create(thread: Thread, change: Partial<NewRun> = {}): Promise<ThreadRun> {
  const answer = await thread.rpc.createRun(request(change));
  if (!answer.ok) throw new Error(answer.code);
  return answer.run;
}

/** A report that the run object might have sent, newer than anything that it really sends. */
export function reportOf(
  run: ThreadRun,
  change: Partial<RunView>,
  workspace: WorkspaceState | null = null,
) {
  const view: RunView = { ...run.view, version: 1000, updatedAt: Date.now(), ...change };
  return { view, workspace };
}

/** What a runner is told when it claims the run's first attempt; null as long as the run is not released. */
export async function claim(run: ThreadRun): Promise<Claimed | null> {
  const stub = env.RUNS.getByName(objectNames.run(orgId, run.runId));
  const query = new URLSearchParams({ org: orgId, run: run.runId, attempt: "1" });
  const { webSocket } = await stub.fetch(`https://run/attach?${query.toString()}`, {
    headers: { Upgrade: "websocket" },
  });
  if (!webSocket) return null;
  const answered = new Promise<Claimed | null>((resolve) => {
    webSocket.addEventListener("message", (event) => {
      const message = RunToRunner.parse(JSON.parse(String(event.data)));
      if (message.type === "claimed") resolve(message);
      if (message.type === "refused") resolve(null);
    });
    webSocket.addEventListener("close", () => resolve(null));
  });
  webSocket.accept();
  const hello = { type: "claim", runnerId: crypto.randomUUID(), attempt: 1 };
  webSocket.send(JSON.stringify(hello));
  return answered;
}

export function claimOnceReleased(run: ThreadRun): Promise<Claimed> {
  return vi.waitFor(
    async () => {
      const claimed = await claim(run);
      if (!claimed) throw new Error("not released");
      return claimed;
    },
    { timeout: 10_000, interval: 100 },
  );
}

export function count(thread: Thread, rows: string): Promise<number> {
  return runInDurableObject(thread.stub, (_, { storage }) => {
    return storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${rows}`).one().n;
  });
}

/** A second instance on the thread's storage that reaches other objects only as `faults` allows. */
export function withFaults<T>(
  thread: Thread,
  faults: Partial<Record<keyof PlatformEnv, unknown>>,
  act: (faulty: ThreadObject) => Promise<T>,
): Promise<T> {
  return runInDurableObject(thread.stub, async (_, state) => {
    const faulty = new ThreadObject(state, { ...env, ...faults } as PlatformEnv);
    await state.blockConcurrencyWhile(async () => undefined);
    return act(faulty);
  });
}

/** Whoever calls a run finds nobody: what happens when the process dies after a commit. */
export const dead = {
  RUNS: {
    getByName: () => ({
      init: () => Promise.reject(new Error("died")),
      release: () => Promise.reject(new Error("died")),
      view: () => Promise.reject(new Error("died")),
    }),
  },
};

export function projectRow(thread: Thread) {
  return env.DB.prepare("SELECT * FROM projects WHERE org_id = ? AND id = ?")
    .bind(orgId, thread.projectId)
    .first<{ name: string; latest_run_id: string | null; updated_at: number }>();
}

export function workspaceOf(run: ThreadRun): WorkspaceState {
  const { runId, runIndex } = run;
  return { runId, runIndex, tree: "a".repeat(40), bundleKey: `${runId}.bundle` };
}
