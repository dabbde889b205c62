import {
  ArchivedLog,
  LogManifest,
  logPrefix,
  readArchiveAfterMs,
  rowsUpTo,
  runSocketPaths,
  type PlatformEnv,
  type RunLogEntry,
} from "@millrace/durable-objects";
import { openArchivedReader } from "./archived-reader.ts";
import { logError } from "./log.ts";
import { runObject } from "./objects.ts";
import { openedReader, type OpenedReader } from "./reader-place.ts";

/** A run as its caller may name it; `projectId` null: in whatever project it is. */
export interface RunName {
  readonly orgId: string;
  readonly runId: string;
  readonly projectId: string | null;
}

/** The log before `earliest` is gone for good. */
export interface Pruned {
  readonly kind: "pruned";
  readonly projectId: string;
  readonly earliest: number;
}

/** Packed rows of a run's log, read and not followed. */
export interface RunRows {
  readonly kind: "rows";
  readonly projectId: string;
  /** No event follows `tail`. */
  readonly over: boolean;
  readonly tail: number;
  readonly rows: string;
}

interface Archived {
  readonly projectId: string;
  readonly log: ArchivedLog;
}

/** From which event on, and whether marks are wanted (`runSocketPaths`). */
interface Place {
  readonly after: number;
  readonly marks?: boolean;
}

/**
 * A run's log, wherever it lies: young or open runs hold it in their object, old ones have it in R2, and are not woken for it.
 * Null and "not_found": there is no such run in this org and project.
 */
export class RunLog {
  readonly #env: PlatformEnv;
  readonly #run: RunName;
  #known: Promise<Archived | null> | undefined;

  constructor(env: PlatformEnv, run: RunName) {
    this.#env = env;
    this.#run = run;
  }

  /** A reader's socket, not accepted yet. */
  async open({ after, marks = false }: Place): Promise<OpenedReader | Pruned> {
    const archived = await this.archived();
    if (archived !== null) return openIn(archived, after, marks);
    const url = new URL(runSocketPaths.read, "https://run");
    const projectId = this.#run.projectId ?? (await this.#projectId());
    if (projectId === null) return null;
    url.searchParams.set("projectId", projectId);
    url.searchParams.set("after", String(after));
    if (marks) url.searchParams.set("marks", "1");
    const response = await this.#object().fetch(url.href, { headers: { upgrade: "websocket" } });
    if (response.status !== 410) return openedReader(response);
    await response.body?.cancel();
    const moved = await this.#askObject();
    return moved === null ? null : openIn(moved, after, marks);
  }

  /** Whole rows after an event, up to about `chars`. */
  async read(after: number, chars: number): Promise<RunRows | Pruned | "not_found"> {
    const archived = await this.archived();
    if (archived !== null) return readIn(archived, after, chars);
    const page = await this.#object().readLog(after, chars);
    if (page.ok) return this.#isMine(page.projectId) ? { kind: "rows", ...page } : "not_found";
    const moved = page.code === "archived" ? await this.#askObject() : null;
    return moved === null ? "not_found" : readIn(moved, after, chars);
  }

  /** The log in R2; null: it is not there, as far as the registry knows. */
  archived(): Promise<Archived | null> {
    // The object knows it too: that the registry is away must not keep anybody from a run.
    this.#known ??= this.#askRegistry().catch((error: unknown) => {
      logError("archived logs not looked up", { error });
      return null;
    });
    return this.#known;
  }

  async #askRegistry(): Promise<Archived | null> {
    const { orgId, runId } = this.#run;
    if (Date.now() - createdAtOf(runId) < readArchiveAfterMs(this.#env)) return null;
    const row = await this.#env.DB.prepare(
      "SELECT project_id, manifest FROM run_logs WHERE run_id = ? AND org_id = ?",
    )
      .bind(runId, orgId)
      .first<{ project_id: string; manifest: string }>();
    if (row === null) return null;
    const manifest = LogManifest.parse(JSON.parse(row.manifest));
    return this.#found({ projectId: row.project_id, manifest });
  }

  /** What the registry has not heard of yet. */
  async #askObject(): Promise<Archived | null> {
    const entry = await this.#object().archivedLog();
    return entry && this.#found(entry);
  }

  #found({ projectId, manifest }: RunLogEntry): Archived | null {
    if (!this.#isMine(projectId)) return null;
    const log = new ArchivedLog(this.#env.ARCHIVES, logPrefix(this.#run), manifest);
    return { projectId, log };
  }

  async #projectId(): Promise<string | null> {
    const known = await this.#object().view();
    return known.ok ? known.view.spec.projectId : null;
  }

  #isMine(projectId: string): boolean {
    return this.#run.projectId === null || this.#run.projectId === projectId;
  }

  #object() {
    return runObject(this.#env, this.#run.orgId, this.#run.runId);
  }
}

/** When a run was created: its id begins with it (uuid v7). Of any other id: long ago. */
function createdAtOf(runId: string): number {
  return runId[14] === "7" ? Number.parseInt(runId.slice(0, 8) + runId.slice(9, 13), 16) : 0;
}

function openIn({ projectId, log }: Archived, after: number, marks: boolean): WebSocket | Pruned {
  if (after + 1 < log.earliest) return { kind: "pruned", projectId, earliest: log.earliest };
  return openArchivedReader(log, after, marks);
}

async function readIn(
  { projectId, log }: Archived,
  after: number,
  chars: number,
): Promise<RunRows | Pruned> {
  const { tail } = log.manifest;
  let rows = "";
  for (let cursor = after; cursor < tail && rows.length < chars;) {
    const page = await log.rowsAfter(cursor);
    // Before the earliest event, or pruned just now.
    if (page === null) {
      const earliest = cursor + 1 < log.earliest ? log.earliest : tail + 1;
      return { kind: "pruned", projectId, earliest };
    }
    rows += page.text;
    cursor = page.last;
  }
  return { kind: "rows", projectId, over: true, tail, rows: rowsUpTo(rows, chars) };
}
