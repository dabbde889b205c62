import {
  quotaDefaults,
  type RunRefusal,
  type RunnerToRun,
  type RunToRunner,
} from "@millrace/contracts";
import { runTokenTtlMs, signRunToken } from "../run-token.ts";
import { leaseOfLostSocket } from "./decide-expiry.ts";
import type { Draft } from "./draft.ts";
import { IngestGate } from "./ingest-gate.ts";
import { makeClaimed, pageSteps } from "./make-claimed.ts";
import { parseRunnerMessage } from "./parse-message.ts";
import type { RunRecord } from "./run-record.ts";
import { RunnerLinks, runnerTag, type RunnerLink } from "./runner-link.ts";
import type { RunStore } from "./store.ts";
import { isWriter, takeMessage, type Reply } from "./take-message.ts";
import type { Timings } from "./timings.ts";

/** What arrives in one tick is written together up to this: a transaction must not grow with what is sent. */
const commitChars = 8 * 1024 * 1024;

interface Received {
  readonly socket: WebSocket;
  readonly message: RunnerToRun;
}

interface Parts {
  readonly record: RunRecord;
  readonly store: RunStore;
  readonly timings: Timings;
  readonly tokenSecret: string;
}

/** Frames of a socket that was refused for one of these are worth nothing any more. */
const finalRefusals: ReadonlySet<RunRefusal> = new Set([
  "lease_held",
  "fenced",
  "run_over",
  "invalid",
  "overloaded",
]);

/**
 * The runners' side of a run: what arrives on all sockets in one tick is decided in order, written by one transaction
 * and answered once per socket.
 */
export class RunnerSockets {
  readonly #parts: Parts;
  readonly #links: RunnerLinks;
  readonly #gate: IngestGate;
  #received: Received[] = [];
  #receivedChars = 0;

  constructor(parts: Parts, sockets: readonly WebSocket[]) {
    this.#parts = parts;
    this.#links = new RunnerLinks(sockets);
    this.#gate = new IngestGate(quotaDefaults.pendingIngestChars, () => parts.store.synced());
  }

  accept(ctx: DurableObjectState, attempt: number, now: number): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    ctx.acceptWebSocket(server, [runnerTag]);
    this.#links.set(server, { kind: "runner", attempt, runnerId: null, tokenAt: now });
    return new Response(null, { status: 101, webSocket: client });
  }

  has(socket: WebSocket): boolean {
    return this.#links.get(socket) !== undefined;
  }

  receive(socket: WebSocket, text: string): void {
    const message = parseRunnerMessage(text);
    if (message === null) {
      refuse(socket, { code: "invalid" });
      return;
    }
    if (!this.#gate.take(text.length)) {
      refuse(socket, { code: "overloaded" });
      return;
    }
    this.#received.push({ socket, message });
    this.#receivedChars += text.length;
    // A claim comes alone, and a user waits for what follows it.
    if (message.type === "claim" || this.#receivedChars > commitChars) this.flush();
    // The first message of a tick calls the commit for all that arrive before the timer runs. Not sooner: a
    // stream of frames that starts with a commit of one frame stays cut in small commits, and so do its readers.
    else if (this.#received.length === 1) setTimeout(() => this.flush(), 0);
  }

  /** Commits what was received. Called by the tick, and by whoever must not overtake a runner's message. */
  flush(): void {
    const received = this.#received;
    if (received.length === 0) return;
    this.#received = [];
    const chars = this.#receivedChars;
    this.#receivedChars = 0;
    const replies = new Map<WebSocket, Reply>();
    try {
      const draft = this.#parts.record.draft(Date.now());
      for (const item of received) this.#take(draft, item, replies);
      this.#parts.record.commit(draft);
    } catch {
      // Nothing is acked: the runners reconnect and send it again, and what was written is not written twice.
      for (const { socket } of received) socket.close(1011, "commit failed");
      return;
    } finally {
      this.#gate.written(chars);
    }
    for (const [socket, reply] of replies) this.#answer(socket, reply);
  }

  /** Tells the runner that executes the run to end it, or to pause it. */
  push(type: "cancel" | "stop"): void {
    const { attempt } = this.#parts.record.state;
    for (const socket of this.#links.claimed(attempt)) send(socket, { type });
  }

  closed(socket: WebSocket): void {
    this.flush();
    const link = this.#links.get(socket);
    this.#links.delete(socket);
    const { record, timings } = this.#parts;
    const { state, memory } = record;
    if (link === undefined || !isWriter(link, state) || memory.lease === null) return;
    // A runner that has reconnected already lost nothing but its old socket.
    if (this.#links.hasClaimed(link.attempt)) return;
    const draft = record.draft(Date.now());
    draft.lease = leaseOfLostSocket(memory.lease, draft.now, timings.socketClosedLeaseMs);
    record.commit(draft);
  }

  #take(draft: Draft, { socket, message }: Received, replies: Map<WebSocket, Reply>): void {
    const reply = replies.get(socket) ?? {};
    const link = reply.claimed ?? this.#links.get(socket);
    if (link === undefined) return;
    // What follows a final refusal in the same tick must not soften it: the socket has to close.
    if (reply.refused && finalRefusals.has(reply.refused.code)) return;
    replies.set(socket, reply);
    const { record, timings } = this.#parts;
    const { maxAttempts } = record.spec;
    takeMessage(draft, { link, message, reply }, { maxAttempts, leaseMs: timings.leaseMs });
  }

  #answer(socket: WebSocket, reply: Reply): void {
    if (reply.claimed) this.#bind(socket, reply.claimed);
    else if (reply.acked) this.#ack(socket, reply);
    if (reply.refused) refuse(socket, reply.refused);
  }

  #ack(socket: WebSocket, reply: Reply): void {
    const { record, timings } = this.#parts;
    const { state, tail, position } = record.memory;
    const link = this.#links.get(socket);
    if (link === undefined) return;
    // Another attempt may have claimed since; the position is its own then.
    const producerSeq = position.epoch === link.attempt ? position.next - 1 : 0;
    send(socket, {
      type: "ack",
      producerSeq,
      tail: tail.seq,
      leaseMs: timings.leaseMs,
      ...(reply.heartbeat !== undefined && { heartbeat: reply.heartbeat }),
      ...(state.stage.kind === "cancelling" && { cancel: true }),
      ...(state.stage.kind === "stopping" && { stop: true }),
    });
    if (Date.now() - link.tokenAt > runTokenTtlMs / 2) void this.#renewToken(socket, link);
  }

  /** The socket is the attempt's now; an older one of the same runner is a dead end. */
  #bind(socket: WebSocket, link: RunnerLink): void {
    for (const older of this.#links.claimed(link.attempt)) {
      if (older === socket) continue;
      this.#links.delete(older);
      older.close(4001, "reconnected");
    }
    this.#links.set(socket, link);
    void this.#answerClaim(socket, link);
  }

  async #answerClaim(socket: WebSocket, link: RunnerLink): Promise<void> {
    const token = await this.#sign(link.attempt);
    const { record, store, timings } = this.#parts;
    // Signing gave others a turn: what the answer says is read now, and is true or refused.
    if (!isWriter(link, record.state)) {
      refuse(socket, { code: record.state.stage.kind === "over" ? "run_over" : "fenced" });
      return;
    }
    const claimed = makeClaimed(record, store, timings, token);
    send(socket, claimed);
    if (claimed.stepCount === 0) return;
    for (const steps of pageSteps(store.steps())) send(socket, { type: "steps", steps });
  }

  async #renewToken(socket: WebSocket, link: RunnerLink): Promise<void> {
    this.#links.set(socket, { ...link, tokenAt: Date.now() });
    const token = await this.#sign(link.attempt);
    const { record, timings } = this.#parts;
    if (!isWriter(link, record.state)) return;
    const producerSeq = record.memory.position.next - 1;
    const { leaseMs } = timings;
    send(socket, { type: "ack", producerSeq, tail: record.tail.seq, leaseMs, token });
  }

  #sign(attempt: number): Promise<string> {
    const { record, tokenSecret } = this.#parts;
    const { orgId: org, runId: run } = record.spec;
    return signRunToken({ org, run, attempt }, tokenSecret, Date.now());
  }
}

function send(socket: WebSocket, message: RunToRunner): void {
  try {
    socket.send(JSON.stringify(message));
  } catch {
    // It closed meanwhile; its close event follows, and the runner asks again on its next socket.
  }
}

function refuse(
  socket: WebSocket,
  refusal: { readonly code: RunRefusal; readonly expected?: number },
): void {
  const { code, expected } = refusal;
  send(socket, { type: "refused", code, ...(expected !== undefined && { expected }) });
  if (finalRefusals.has(code)) socket.close(1008, code);
}
