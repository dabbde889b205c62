import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Frame,
  RunnerToPool,
  RunnerToRun,
  type Claimed,
  type PoolToRunner,
  type RunToRunner,
  type Step,
} from "@millrace/contracts";
import { WebSocketServer, type WebSocket } from "ws";

/** What a test may change in how the platform behaves. */
export interface Script {
  leaseMs: number;
  /** Claims to bind and not to answer. */
  loseClaimAnswers: number;
  /** Frames to commit without an ack, closing the connection instead. */
  loseAcks: number;
  /** No acks at all, and no heartbeat answers. */
  silent: boolean;
  /** Heartbeats are answered, frames are committed and not acked. */
  withholdAcks: boolean;
  /** Every message of a runner is answered with this. */
  refuse: Extract<RunToRunner, { type: "refused" }>["code"] | undefined;
  /** Upgrades and requests are answered with this status. */
  deny: number | undefined;
  /** The one token that opens a pool, and the one that opens a run; undefined: any. */
  poolToken: string | undefined;
  runToken: string | undefined;
  /** Goes with the next claim's answer and the acks. */
  cancel: boolean;
  /** Goes with the claim's answer: the run is to pause. */
  stop: boolean;
  /** What the run starts with. */
  repos: Claimed["spec"]["repos"];
}

const orgId = "00000000-0000-7000-8000-000000000001";

/**
 * One pool and one run as a runner sees them over the wire, with faults on demand. A stand-in for unit
 * tests of the runner's ends only; the system tests use the real edge.
 */
export class ScriptedPlatform {
  readonly script: Script = {
    leaseMs: 30_000,
    loseClaimAnswers: 0,
    loseAcks: 0,
    silent: false,
    withholdAcks: false,
    refuse: undefined,
    deny: undefined,
    poolToken: undefined,
    runToken: undefined,
    cancel: false,
    stop: false,
    repos: [],
  };
  readonly runId = randomUUID();
  readonly token = "run-token-1";
  readonly frames: Frame[] = [];
  /** Everything that runners said, in order, frames that were seen before included. */
  readonly said: RunnerToRun[] = [];
  readonly poolSaid: RunnerToPool[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly requests: string[] = [];
  readonly bearers: string[] = [];
  steps: Step[] = [];
  claims = 0;
  answerHttp: ((request: IncomingMessage, body: Buffer) => HttpAnswer | undefined) | undefined;
  readonly #sockets = new WebSocketServer({ noServer: true });
  #server: Server | undefined;
  #port = 0;
  #runner: string | undefined;
  #run: WebSocket | undefined;
  #pool: WebSocket | undefined;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens; after `stop` again at the same port and with the same state. */
  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#http(request, response));
    server.on("upgrade", (request, socket, head) => {
      const bearer = request.headers.authorization ?? "";
      this.bearers.push(bearer);
      const isPools = request.url?.includes("/pools/") ?? false;
      const wanted = isPools ? this.script.poolToken : this.script.runToken;
      const isWrong = wanted !== undefined && bearer !== `Bearer ${wanted}`;
      const status = this.script.deny ?? (isWrong ? 401 : undefined);
      if (status !== undefined) {
        socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (ws) => {
        if (isPools) this.#joined(ws);
        else this.#attached(ws);
      });
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** As kill -9: connections break without a word. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
    this.#server = undefined;
  }

  /** Breaks the run's connection only. */
  breakRunSocket(): void {
    this.#run?.terminate();
  }

  /** Breaks the pool's connection only. */
  breakPoolSocket(): void {
    this.#pool?.terminate();
  }

  offer(attempt = 1, org = orgId, runId: string = this.runId): void {
    this.sayToPool({
      type: "offer",
      orgId: org,
      projectId: "p",
      runId,
      attempt,
      token: this.token,
    });
  }

  sayToPool(message: PoolToRunner): void {
    this.#pool?.send(JSON.stringify(message));
  }

  say(message: RunToRunner): void {
    this.#run?.send(JSON.stringify(message));
  }

  get events(): readonly Frame["events"][number][] {
    return this.frames.flatMap((frame) => frame.events);
  }

  get outcome(): Frame["outcome"] {
    return this.frames.at(-1)?.outcome;
  }

  ack(extra: Partial<Extract<RunToRunner, { type: "ack" }>> = {}): void {
    const cancel = this.script.cancel ? { cancel: true } : {};
    const { leaseMs } = this.script;
    const producerSeq = this.frames.length;
    this.say({ type: "ack", producerSeq, tail: producerSeq, leaseMs, ...cancel, ...extra });
  }

  #joined(socket: WebSocket): void {
    this.#pool = socket;
    socket.on("message", (data: Buffer) => {
      const message = RunnerToPool.parse(JSON.parse(data.toString()));
      this.poolSaid.push(message);
      if (message.type === "hello") {
        this.sayToPool({ type: "welcome", orgId, pool: "default" });
      }
    });
  }

  #attached(socket: WebSocket): void {
    this.#run = socket;
    socket.on("message", (data: Buffer) =>
      this.#heard(RunnerToRun.parse(JSON.parse(data.toString()))),
    );
  }

  #heard(message: RunnerToRun): void {
    this.said.push(message);
    if (this.script.refuse) return this.say({ type: "refused", code: this.script.refuse });
    if (this.script.silent) return undefined;
    switch (message.type) {
      case "claim":
        return this.#claim(message.runnerId, message.attempt);
      case "frame":
        return this.#frame(message);
      case "heartbeat":
        return this.ack({ heartbeat: message.id });
      case "cancel_ack":
        return undefined;
    }
  }

  #claim(runnerId: string, attempt: number): void {
    this.claims += 1;
    this.#runner ??= runnerId;
    if (this.#runner !== runnerId) return this.say({ type: "refused", code: "lease_held" });
    if (this.script.loseClaimAnswers > 0) {
      this.script.loseClaimAnswers -= 1;
      return this.breakRunSocket();
    }
    this.say(this.#claimed(attempt));
    for (const step of this.steps) this.say({ type: "steps", steps: [step] });
  }

  #frame(frame: Frame): void {
    const expected = this.frames.length + 1;
    if (frame.producerSeq > expected) {
      return this.say({ type: "refused", code: "out_of_order", expected });
    }
    if (frame.producerSeq === expected) this.frames.push(frame);
    if (this.script.loseAcks > 0) {
      this.script.loseAcks -= 1;
      return this.breakRunSocket();
    }
    if (!this.script.withholdAcks) this.ack();
  }

  #claimed(attempt: number): Claimed {
    return {
      type: "claimed",
      attempt,
      leaseMs: this.script.leaseMs,
      heartbeatMs: Math.floor(this.script.leaseMs / 3),
      tail: 0,
      producerSeq: this.frames.length,
      spec: {
        orgId,
        projectId: "p",
        runId: this.runId,
        runIndex: 1,
        parentRunId: null,
        kind: "run",
        prompt: "do it",
        input: null,
        provider: null,
        model: null,
        workspaceBackend: "host",
        pool: "default",
        maxAttempts: 3,
        idempotencyKey: "k",
        createdAt: 1,
        owner: null,
        session: null,
        repos: this.script.repos,
        needsOwnPod: false,
        interactive: false,
        keepOpen: false,
        timeoutSeconds: null,
        startDeadlineSeconds: null,
        traceparent: null,
      },
      failures: 0,
      elapsedMs: 0,
      conversation: [],
      workspace: null,
      stepCount: this.steps.length,
      interruptedCalls: [],
      cancel: this.script.cancel,
      stop: this.script.stop,
      token: `run-token-${this.claims + 1}`,
    };
  }

  async #http(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    this.requests.push(`${request.method} ${request.url}`);
    const answer = this.script.deny
      ? { status: this.script.deny, body: "{}" }
      : (this.answerHttp?.(request, body) ?? this.#blob(request, body));
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #blob(request: IncomingMessage, body: Buffer): HttpAnswer {
    const sha256 = /\/(?:blobs|events)\/([0-9a-f]{64})$/.exec(request.url ?? "")?.[1];
    if (!sha256) return { status: 404, body: "{}" };
    if (request.method === "PUT") {
      this.blobs.set(sha256, body);
      return { status: 200, body: JSON.stringify({ key: sha256 }) };
    }
    const blob = this.blobs.get(sha256);
    return blob ? { status: 200, body: blob } : { status: 404, body: "{}" };
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A platform that is gone when the test is. */
export async function usePlatform(
  onEnd: (stop: () => Promise<void>) => void,
): Promise<ScriptedPlatform> {
  const platform = await new ScriptedPlatform().start();
  onEnd(() => platform.stop());
  return platform;
}
