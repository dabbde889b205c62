import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Api } from "../support/api.ts";
import { requestsOf } from "../support/run-record.ts";
import type { ClientRun, Ledger } from "./clients.ts";
import type { Execution, LoggedEvent, RunRecord, TortureRecord } from "./record.ts";
import type { Stage } from "./stage.ts";

const over = new Set(["completed", "error", "cancelled"]);

/** Waits until every run is over, for as long as it is given, and then reads what is left of each. */
export async function collect(
  stage: Stage,
  ledger: Ledger,
  deadline: number,
): Promise<TortureRecord> {
  const api = new Api(stage.platform.url, stage.platform.apiKey);
  const runs: RunRecord[] = [];
  for (const run of ledger.runs.values()) {
    const status = await statusAtEnd(api, run, deadline);
    if (over.has(status)) await Promise.all(run.readers.map((reader) => reader.over));
    runs.push(await recordOf(stage, api, { run, status }));
  }
  return { creates: ledger.creates, runs };
}

async function statusAtEnd(api: Api, run: ClientRun, deadline: number): Promise<string> {
  for (;;) {
    const { status } = await api.run(run.projectId, run.runId);
    if (over.has(status) || Date.now() > deadline) return status;
    await sleep(200);
  }
}

async function recordOf(
  stage: Stage,
  api: Api,
  { run, status }: { readonly run: ClientRun; readonly status: string },
): Promise<RunRecord> {
  const { runId, projectId, title } = run;
  const isOver = over.has(status);
  const paths = [`/v1/streams/runs/${runId}`, `/v1/projects/${projectId}/runs/${runId}/stream`];
  const strangers = await Promise.all(paths.map((path) => stage.stranger.request("GET", path)));
  return {
    runId,
    projectId,
    status,
    log: await readLog(api, runId),
    frames: isOver ? await (await api.stream(projectId, runId)).toEnd() : [],
    readers: isOver ? run.readers.map((reader) => reader.record()) : [],
    cancels: run.cancels,
    executions: await executionsOf(stage, run),
    modelCalls: requestsOf(stage.model.log(), title).map(({ at }) => ({ at })),
    strangerStatuses: strangers.map((answer) => answer.status),
  };
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
