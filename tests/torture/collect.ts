import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Api } from "../support/api.ts";
import { requestsOf } from "../support/run-record.ts";
import type { ClientRun, Ledger } from "./clients.ts";
import type { Execution, LoggedEvent, RunRecord, TortureRecord } from "./record.ts";
import type { Stage } from "./stage.ts";

const over = new Set(["completed", "error", "cancelled"]);

/** Waits until every run is over, for as long as runs come to their ends, and then reads what is left of each. */
export async function collect(
  stage: Stage,
  ledger: Ledger,
  stuckMs: number,
): Promise<TortureRecord> {
  const api = new Api(stage.platform.url, stage.platform.apiKey);
  const all = [...ledger.runs.values()];
  await untilQuiet(api, all, stuckMs);
  await sleep(Math.max(0, stage.faultsUntil - Date.now()));
  const runs: RunRecord[] = [];
  for (const run of all) {
    const { status } = await api.run(run.projectId, run.runId);
    if (over.has(status)) await Promise.all(run.readers.map((reader) => reader.over));
    runs.push(await recordOf(stage, api, { run, status }));
  }
  return { creates: ledger.creates, runs };
}

/** Runs of a project end in order, so the first that is not over is the only one to ask for. */
async function untilQuiet(api: Api, runs: readonly ClientRun[], stuckMs: number): Promise<void> {
  const queues = [...Map.groupBy(runs, ({ projectId }) => projectId).values()];
  let endedAt = Date.now();
  while (queues.some((queue) => queue.length > 0) && Date.now() - endedAt < stuckMs) {
    for (const queue of queues) {
      const [first] = queue;
      if (!first) continue;
      const { status } = await api.run(first.projectId, first.runId);
      if (!over.has(status)) continue;
      queue.shift();
      endedAt = Date.now();
    }
    await sleep(100);
  }
}

async function recordOf(
  stage: Stage,
  api: Api,
  { run, status }: { readonly run: ClientRun; readonly status: string },
): Promise<RunRecord> {
  const { runId, projectId, title, messages } = run;
  const isOver = over.has(status);
  return {
    runId,
    projectId,
    status,
    log: await readLog(api, runId),
    frames: isOver ? await (await api.stream(projectId, runId)).toEnd() : null,
    readers: isOver ? run.readers.map((reader) => reader.record()) : [],
    cancels: run.cancels,
    executions: await executionsOf(stage, run),
    messages,
    modelCalls: requestsOf(stage.model.log(), title).map(({ at }) => ({ at })),
    strangerStatuses: await strangerStatuses(stage.stranger, run),
  };
}

/** What another tenant is told of the run, and when it would end it. */
async function strangerStatuses(
  stranger: Api,
  { runId, projectId }: ClientRun,
): Promise<readonly number[]> {
  const path = `/v1/projects/${projectId}/runs/${runId}`;
  const tries = [
    ["GET", `/v1/streams/runs/${runId}`],
    ["GET", `${path}/stream`],
    ["GET", path],
    ["POST", `${path}/cancel`],
  ] as const;
  const asked = tries.map(async ([method, at]) => {
    const response = await stranger.fetch(method, at);
    await response.body?.cancel();
    return response.status;
  });
  return Promise.all(asked);
}

async function readLog(api: Api, runId: string): Promise<readonly LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (let offset = "-1"; ;) {
    const { headers, body } = await api.request(
      "GET",
      `/v1/streams/runs/${runId}?offset=${offset}`,
    );
    events.push(...(body as readonly LoggedEvent[]));
    offset = headers.get("stream-next-offset") ?? offset;
    if (headers.get("stream-up-to-date") === "true") return events;
  }
}

/** Commands leave their marks in the home of their project, on whichever runner's disk they ran. */
async function executionsOf(
  { places }: Stage,
  { projectId, title }: ClientRun,
): Promise<readonly Execution[]> {
  const key = title.slice("torture ".length);
  const traces = await Promise.all(
    places.map(({ runner }) =>
      readFile(join(runner.workspaceRoot, ".millrace/home", projectId, "trace"), "utf8").catch(
        () => "",
      ),
    ),
  );
  return traces
    .flatMap((trace) => trace.split("\n"))
    .filter((line) => line.startsWith(key))
    .map((line) => {
      const [mark = "", at] = line.split(" ");
      return { mark, at: Number(at) };
    });
}
