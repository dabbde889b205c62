import { randomUUID } from "node:crypto";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  type SessionReport,
  type SessionRun,
  type SessionToken,
  OperatorToPool,
  type PoolStatus,
  SessionInput,
  type SessionInputAnswer,
  SessionRunCreate,
  WarmTokenAsk,
  traceparentOf,
  sessionPaths,
} from "@millrace/contracts";
import { type WebSocket, WebSocketServer } from "ws";

const pool = "default";
const runsPath = sessionPaths.runs(pool);

/** One run as this edge keeps it. */
interface Kept {
  run: SessionRun;
  /** The idle pod whose runner has accepted the current attempt. */
  warmPod: string | null;
  readonly body: SessionRunCreate;
}

/**
 * The edge's side of `session-protocol.ts` for one pool, with no platform behind it: the test says what the
 * platform decides, so that each fact of Kubernetes can be looked at alone.
 */
export class ScriptedPool {
  readonly runs = new Map<string, Kept>();
  readonly reports: SessionReport[] = [];
  readonly logs = new Map<string, string>();
  readonly revoked: string[] = [];
  /** Runs in which something happens all the time: each look at one finds more, and nobody is told. */
  readonly busy = new Set<string>();
  /** What the runs were told, each once. */
  readonly inputs: SessionInput[] = [];
  /** So many inputs are taken, and their answers lost. */
  lostAnswers = 0;
  /** How often a run was looked at. */
  readonly looks = new Map<string, number>();
  /** Runs of which somebody on the way, and not the platform, answers to a look. */
  readonly unreadable = new Set<string>();
  /** Keys of reports, which while it is there are lost on their way to their run. */
  lost: Set<string> | undefined;
  /** The one token that it takes; undefined: any. */
  token: string | undefined;
  /** HTTP requests that had another. */
  refused = 0;
  /** HTTP requests that were answered. */
  requests = 0;
  readonly warmTokens: WarmTokenAsk[] = [];
  /** The operator's last word about its cluster. */
  status: PoolStatus | undefined;
  /** Where processors are short, the 5 s that are usual end a connection on which a request is already under way. */
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (!this.#isAway && this.#isStrange(request)) this.#refuse(response);
    else void this.#answer(request, response);
  });
  readonly #sockets = new Set<WebSocket>();
  readonly #confirmed = new Set<string>();
  #again: NodeJS.Timeout | undefined;
  readonly #onCreated: (runId: string) => void;
  #isAway = false;

  /** `onCreated` is told of each new run, when its creator has had the answer. */
  constructor(onCreated: (runId: string) => void = () => undefined) {
    this.#onCreated = onCreated;
  }

  async listen(): Promise<string> {
    const sockets = new WebSocketServer({ noServer: true });
    this.#server.on("upgrade", (request, socket, head) => {
      if (this.#isAway) socket.destroy();
      else if (this.#isStrange(request)) socket.end("HTTP/1.1 401 No\r\n\r\n");
      else sockets.handleUpgrade(request, socket, head, (ws) => this.#connected(ws));
    });
    this.#again = setInterval(() => this.#startAgain(), 1000);
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    clearInterval(this.#again);
    for (const socket of this.#sockets) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Nobody answers until it is back. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway;
    if (isAway) for (const socket of this.#sockets) socket.terminate();
  }

  /** From now on it takes this token alone; whoever is connected has to come again. */
  changeToken(token: string): void {
    this.token = token;
    for (const socket of this.#sockets) socket.terminate();
  }

  #refuse(response: ServerResponse): void {
    this.refused += 1;
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "unauthenticated" }));
  }

  #isStrange({ headers }: IncomingMessage): boolean {
    return this.token !== undefined && headers.authorization !== `Bearer ${this.token}`;
  }

  runOf(sessionName: string): SessionRun | undefined {
    return [...this.runs.values()].find(({ body }) => body.session.name === sessionName)?.run;
  }

  /** The platform wants the next attempt; it asks again until somebody has confirmed. */
  start(runId: string, warmPod: string | null = null): void {
    const kept = this.#kept(runId);
    const { run } = kept;
    kept.warmPod = warmPod;
    this.change(runId, { status: "dispatched", attempt: run.attempt + 1 });
  }

  /** Whoever had accepted the attempt did not claim it: it is somebody else's now. */
  giveTo(runId: string, warmPod: string | null): void {
    const kept = this.#kept(runId);
    kept.warmPod = warmPod;
    this.#sendStart(kept);
  }

  /** The run is another now; whoever is connected is told. */
  change(runId: string, changes: Partial<SessionRun>): void {
    const kept = this.#kept(runId);
    kept.run = { ...kept.run, ...changes, version: kept.run.version + 1, updatedAt: Date.now() };
    this.#tell({ type: "run.changed", run: kept.run });
    if (changes.status === "dispatched") this.#sendStart(kept);
  }

  stop(runId: string, by: "cancel" | "stop" | "fence"): void {
    const { attempt } = this.#kept(runId).run;
    const key = `stop/${runId}/${attempt}`;
    this.#tell({ type: "session.stop", key, runId, attempt, by, graceMs: 1000 });
  }

  reportsOf(runId: string): readonly SessionReport[] {
    return this.reports.filter((report) => report.runId === runId);
  }

  #kept(runId: string): Kept {
    const kept = this.runs.get(runId);
    if (!kept) throw new Error(`no run ${runId}`);
    return kept;
  }

  /** What nobody has confirmed is sent again, as the platform does. */
  #startAgain(): void {
    for (const kept of this.runs.values()) {
      const isOpen = kept.run.status === "dispatched" || kept.warmPod !== null;
      if (kept.run.attempt === 0 || !isOpen || this.#confirmed.has(startKey(kept))) continue;
      this.#sendStart(kept);
    }
  }

  #sendStart(kept: Kept): void {
    const { run, body, warmPod } = kept;
    const { runId, projectId, attempt } = run;
    const { session, owner, prompt, repos } = body;
    const spec = {
      orgId: "org",
      projectId,
      runId,
      runIndex: 1,
      parentRunId: null,
      kind: "run",
      prompt,
      input: null,
      provider: null,
      model: null,
      workspaceBackend: "cluster",
      pool,
      maxAttempts: 3,
      idempotencyKey: "k",
      createdAt: 0,
      owner,
      session: session.uid === edgeUid ? null : session,
      repos,
      traceparent: run.traceparent,
    };
    const message = { type: "session.start", key: startKey(kept), runId, attempt };
    const warm = warmPod === null ? null : { runnerId: randomUUID(), podName: warmPod };
    const token = { token: `token-${attempt}`, tokenExpiresInMs: 3_600_000, warm };
    this.#tell({ ...message, orgId: "org", projectId, spec, ...token });
  }

  /** A run that was created at the edge by `owner`. */
  createAtEdge(owner: string): string {
    const session = { uid: edgeUid, namespace: "-", name: "-" };
    const body = SessionRunCreate.parse({
      prompt: "from the edge",
      session,
      owner,
      repos: [],
      timeoutSeconds: null,
      startDeadlineSeconds: null,
    });
    return this.#create(body).run.runId;
  }

  #connected(socket: WebSocket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: Buffer) => {
      const message = OperatorToPool.parse(JSON.parse(data.toString("utf8")));
      if (message.type === "hello" && message.leader) {
        socket.send(JSON.stringify({ type: "welcome", orgId: "org", pool }));
      }
      if (message.type === "pool.status") this.status = message;
      if (message.type === "ack") this.#confirmed.add(message.key);
      if (message.type !== "report") return;
      if (this.lost?.add(message.key)) return;
      if (!this.reports.some(({ key }) => key === message.key)) this.reports.push(message);
      socket.send(JSON.stringify({ type: "ack", key: message.key }));
    });
  }

  #tell(message: object): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(message));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#isAway) return void request.destroy();
    this.requests += 1;
    const body = await text(request);
    const { pathname } = new URL(request.url ?? "", "http://edge");
    const isLost = pathname.endsWith("/input") && this.lostAnswers > 0;
    const answer =
      pathname === sessionPaths.warmToken(pool)
        ? this.#giveWarmToken(body)
        : this.#answerRun(request, pathname.slice(runsPath.length), body);
    if (isLost) {
      this.lostAnswers -= 1;
      request.destroy();
      return;
    }
    if (request.method === "GET" && this.unreadable.has(pathname.slice(runsPath.length + 1))) {
      response.writeHead(502).end("bad gateway");
      return;
    }
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { code: "not_found", message: pathname }));
  }

  #answerRun(request: IncomingMessage, path: string, body: string): unknown {
    const { method = "", headers } = request;
    const [, runId = "", what = ""] = path.split("/");
    if (runId === "") {
      const { traceparent } = headers;
      return this.#create(SessionRunCreate.parse(JSON.parse(body)), String(traceparent)).run;
    }
    if (what === "logs" && method === "PUT") this.logs.set(path.slice(1), body);
    if (what === "input") return this.#takeInput(this.#kept(runId), body);
    return this.#route(method, runId, what);
  }

  #takeInput(kept: Kept, body: string): SessionInputAnswer {
    const input = SessionInput.parse(JSON.parse(body));
    const isNew = !this.inputs.some(({ key }) => key === input.key);
    if (isNew) this.inputs.push(input);
    if (isNew && kept.run.status === "waiting") {
      this.change(kept.run.runId, { status: "queued", waiting: null });
      this.start(kept.run.runId);
    }
    return { run: kept.run, refused: null };
  }

  #giveWarmToken(body: string): SessionToken {
    const ask = WarmTokenAsk.parse(JSON.parse(body));
    this.warmTokens.push(ask);
    return { token: `warm-${ask.podName}`, expiresInMs: 86_400_000 };
  }

  #route(method: string, runId: string, what: string): unknown {
    const kept = this.runs.get(runId);
    if (!kept) return undefined;
    if (method === "DELETE") this.revoked.push(runId);
    else this.#act(kept, what);
    return what === "logs" ? { key: "k", sizeBytes: 1 } : kept.run;
  }

  #act(kept: Kept, what: string): void {
    const { runId, status, version } = kept.run;
    if (what === "") this.looks.set(runId, (this.looks.get(runId) ?? 0) + 1);
    if (what === "" && this.busy.has(runId)) {
      kept.run = { ...kept.run, version: version + 1, updatedAt: Date.now() };
    }
    if (what === "cancel") this.change(runId, { status: "cancelled", completedAt: Date.now() });
    if (what === "stop") this.#pause(runId, status);
    if (what === "resume") {
      this.change(runId, { status: "queued", stopping: false });
      this.start(runId);
    }
  }

  /** Nobody has to be asked for an attempt that nobody has claimed. */
  #pause(runId: string, status: SessionRun["status"]): void {
    if (status === "running") this.change(runId, { stopping: true });
    if (status === "dispatched") this.change(runId, { status: "waiting" });
  }

  #create(body: SessionRunCreate, traceparent?: string): Kept {
    const known = [...this.runs.values()].find(
      (kept) => kept.body.session.uid === body.session.uid && body.session.uid !== edgeUid,
    );
    if (known) return known;
    const runId = randomUUID();
    const session = body.session.uid === edgeUid ? null : body.session;
    const run: SessionRun = {
      runId,
      projectId: "pool.default.p",
      version: 1,
      status: "queued",
      stopping: false,
      attempt: 0,
      failures: 0,
      maxAttempts: 3,
      startedAt: null,
      waitedMs: 0,
      waiting: null,
      completedAt: null,
      updatedAt: Date.now(),
      error: null,
      usage: null,
      costUsd: null,
      provider: null,
      model: null,
      archived: false,
      url: `/v1/runs/${runId}`,
      session,
      traceparent: traceparentOf(runId, traceparent),
    };
    const kept = { run, body, warmPod: null };
    this.runs.set(runId, kept);
    setImmediate(() => this.#onCreated(runId));
    return kept;
  }
}

const startKey = ({ run: { runId, attempt }, warmPod }: Kept): string =>
  `${warmPod === null ? "start" : `adopt/${warmPod}`}/${runId}/${attempt}`;

/** Stands for "no session": the run was made at the edge. */
const edgeUid = "00000000-0000-4000-8000-000000000000";
