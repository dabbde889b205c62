import {
  RunToRunner,
  runnerPaths,
  type Claimed,
  type Opening,
  type RunnerToRun,
  type Step,
} from "@millrace/contracts";
import type { Logger } from "../log.ts";
import type { LeaseClock } from "./lease-clock.ts";
import type { Outbox } from "./outbox.ts";
import { parseMessage } from "./parse-message.ts";
import { ReconnectingSocket, socketUrl } from "./reconnecting-socket.ts";

/** Which attempt this is, and who executes it. */
interface AttemptIdentity {
  readonly runId: string;
  readonly attempt: number;
  readonly runnerId: string;
}

export interface RunSocketOptions extends AttemptIdentity {
  readonly edgeUrl: string;
  readonly token: string;
  /** Where a fresher one may lie when the edge refuses this. */
  readonly readToken?: () => string | undefined;
  /** Goes with each claim: whoever starts a run need not wait for the answer to say so. */
  readonly opening?: Opening | undefined;
  readonly outbox: Outbox;
  readonly lease: LeaseClock;
  readonly log: Logger;
}

/** What an attempt wants to know of its socket. Facts from before `listen` are told at once. */
export interface RunSocketListener {
  /** An ack or a claim moved the lease's end. */
  readonly onLease: () => void;
  /** Every frame up to this one is durable. */
  readonly onAcked: (producerSeq: number) => void;
  readonly onCancel: () => void;
  /** The run is to pause. */
  readonly onStop: () => void;
  /** The platform will never take another frame of this attempt. */
  readonly onRefused: (refusal: FinalRefusal) => void;
}

export type FinalRefusal = "lease_held" | "fenced" | "run_over" | "invalid" | "denied";

/** The answer to the first claim, with the checkpoint steps that followed it. */
export type FirstClaim =
  | { readonly ok: true; readonly claimed: Claimed; readonly steps: readonly Step[] }
  | { readonly ok: false; readonly code: FinalRefusal | "closed" };

type RunMessage<T extends RunToRunner["type"]> = Extract<RunToRunner, { type: T }>;

const claimAnswerMs = 5_000;
/** An edge that is still starting may answer anything; one that says no this often means it. */
const deniedLimit = 3;

/**
 * The runner's end of a run: claims after every connect, sends what the outbox holds, keeps the lease.
 *
 *     connect -> claim -> claimed, steps -> frames and heartbeats <-> acks -> (lost) -> connect -> claim ...
 *
 * The same (attempt, runnerId) may claim as often as it likes, so no answer is ever waited for twice:
 * when in doubt the connection is dropped and everything starts over from what is not acked.
 */
export class RunSocket {
  readonly #options: RunSocketOptions;
  readonly #socket: ReconnectingSocket;
  readonly #first = Promise.withResolvers<FirstClaim>();
  readonly #heartbeats = new Map<number, number>();
  #listener: RunSocketListener | undefined;
  #token: string;
  #claimed: Claimed | undefined;
  /** Steps of the first claim while they arrive; undefined once they are complete. */
  #steps: Step[] | undefined = [];
  #stopped = false;
  #claimedHere = false;
  #claimSentAt = 0;
  #lastSentAt = 0;
  #lastHeardAt = 0;
  #heartbeatId = 0;
  #timer: NodeJS.Timeout | undefined;
  #denials = 0;
  #cancelled = false;
  #refusal: FinalRefusal | undefined;
  #pumpPlanned = false;

  constructor(options: RunSocketOptions) {
    this.#options = options;
    this.#token = options.token;
    this.#socket = new ReconnectingSocket({
      url: socketUrl(options.edgeUrl, runnerPaths.runSocket(options.runId)),
      token: () => this.#token,
      log: options.log,
      onOpen: () => this.#claim(),
      onMessage: (text) => this.#receive(text),
      onClose: () => this.#disconnected(),
      onDenied: (status) => this.#denied(status),
    });
  }

  /** Connects and claims; resolves with the first answer, however many connections that takes. */
  claim(): Promise<FirstClaim> {
    this.#socket.open();
    return this.#first.promise;
  }

  listen(listener: RunSocketListener): void {
    this.#listener = listener;
    if (this.#cancelled) listener.onCancel();
    if (this.#stopped) listener.onStop();
    if (this.#refusal) listener.onRefused(this.#refusal);
  }

  /** The freshest run token. */
  token(): string {
    return this.#token;
  }

  /** Something was appended: sends it in this turn's last moment, so that neighbours share a frame. */
  pump(): void {
    if (this.#pumpPlanned) return;
    this.#pumpPlanned = true;
    queueMicrotask(() => {
      this.#pumpPlanned = false;
      this.#send();
    });
  }

  /** The lease may be lost: nothing more is written before the platform has answered a new claim. */
  reclaim(): void {
    // A claim that is on its way, or will be made at the next connect, is that answer.
    if (!this.#claimedHere) return;
    this.#claimedHere = false;
    this.#socket.drop();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#first.resolve({ ok: false, code: "closed" });
  }

  #send(): void {
    if (!this.#claimedHere) return;
    const now = performance.now();
    // A process that was stopped and wakes up comes through here before any of its timers.
    if (!this.#options.lease.holds(now)) return this.reclaim();
    for (let text = this.#options.outbox.next(now); text; text = this.#options.outbox.next(now)) {
      this.#lastSentAt = now;
      if (!this.#socket.send(text)) return;
    }
  }

  #say(message: RunnerToRun): void {
    this.#socket.send(JSON.stringify(message));
  }

  #claim(): void {
    const { runnerId, attempt, opening } = this.#options;
    this.#claimedHere = false;
    this.#heartbeats.clear();
    if (this.#steps) this.#steps = [];
    this.#claimSentAt = performance.now();
    this.#say({ type: "claim", runnerId, attempt, opening });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.drop(), claimAnswerMs);
  }

  #disconnected(): void {
    this.#claimedHere = false;
    clearTimeout(this.#timer);
  }

  #denied(status: number): void {
    const isFinal = status === 401 || status === 403 || status === 404;
    this.#denials = isFinal ? this.#denials + 1 : 0;
    // What was renewed while this connection was down opens the next one.
    if (isFinal) this.#token = this.#options.readToken?.() ?? this.#token;
    if (this.#denials >= deniedLimit) this.#refuse("denied");
  }

  #receive(text: string): void {
    this.#lastHeardAt = performance.now();
    this.#denials = 0;
    const message = parseMessage(RunToRunner, text);
    if (!message.ok) {
      return this.#options.log.error("message from the run object is not understood", {
        problem: message.problem,
      });
    }
    this.#handle(message.value);
  }

  #handle(message: RunToRunner): void {
    switch (message.type) {
      case "claimed":
        return this.#onClaimed(message);
      case "steps":
        return this.#onSteps(message.steps);
      case "ack":
        return this.#onAck(message);
      case "cancel":
        return this.#onCancel();
      case "stop":
        return this.#onStop();
      case "refused":
        return this.#onRefused(message);
    }
  }

  #onClaimed(claimed: Claimed): void {
    this.#claimedHere = true;
    this.#token = claimed.token;
    if (this.#steps) this.#claimed = claimed;
    this.#options.lease.grant(this.#claimSentAt, claimed.leaseMs);
    this.#options.outbox.acked(claimed.producerSeq);
    this.#options.outbox.rewind();
    this.#lastSentAt = this.#claimSentAt;
    this.#planHeartbeat(claimed.heartbeatMs);
    this.#listener?.onLease();
    this.#listener?.onAcked(claimed.producerSeq);
    if (claimed.cancel) this.#onCancel();
    if (claimed.stop) this.#onStop();
    this.#onSteps([]);
    this.#send();
  }

  #onSteps(steps: readonly Step[]): void {
    if (!this.#steps || !this.#claimed) return;
    this.#steps.push(...steps);
    if (this.#steps.length < this.#claimed.stepCount) return;
    this.#first.resolve({ ok: true, claimed: this.#claimed, steps: this.#steps });
    this.#steps = undefined;
  }

  #onAck(ack: RunMessage<"ack">): void {
    const { outbox, lease } = this.#options;
    const sentAt = outbox.acked(ack.producerSeq);
    if (sentAt !== undefined) lease.grant(sentAt, ack.leaseMs);
    this.#onBeat(ack);
    if (ack.token) this.#token = ack.token;
    this.#listener?.onLease();
    this.#listener?.onAcked(ack.producerSeq);
    if (ack.cancel && !this.#cancelled) this.#onCancel();
    if (ack.stop) this.#onStop();
    this.#send();
  }

  #onBeat({ heartbeat, leaseMs }: RunMessage<"ack">): void {
    if (heartbeat === undefined) return;
    const beatAt = this.#heartbeats.get(heartbeat);
    if (beatAt !== undefined) this.#options.lease.grant(beatAt, leaseMs);
    this.#heartbeats.delete(heartbeat);
  }

  /** Repeats are answered too: the first acknowledgement may have been lost with its connection. */
  #onCancel(): void {
    this.#say({ type: "cancel_ack" });
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#listener?.onCancel();
  }

  #onStop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener?.onStop();
  }

  #onRefused(refused: RunMessage<"refused">): void {
    switch (refused.code) {
      case "out_of_order":
      case "not_claimed":
      case "overloaded":
        // The claim's answer says what is durable; going on from there repairs both.
        this.#options.log.warn("run object wants another claim", { code: refused.code });
        return this.reclaim();
      case "lease_held":
      case "fenced":
      case "run_over":
      case "invalid":
        return this.#refuse(refused.code);
    }
  }

  #refuse(code: FinalRefusal): void {
    if (this.#refusal) return;
    this.#refusal = code;
    this.#claimedHere = false;
    this.#first.resolve({ ok: false, code });
    this.#listener?.onRefused(code);
    this.close();
  }

  /** Beats when nothing was sent for a while; a beat without any answer until the next means a dead connection. */
  #planHeartbeat(heartbeatMs: number): void {
    clearTimeout(this.#timer);
    const dueMs = this.#lastSentAt + heartbeatMs - performance.now();
    this.#timer = setTimeout(() => this.#beat(heartbeatMs), Math.max(10, dueMs));
  }

  #beat(heartbeatMs: number): void {
    const now = performance.now();
    if (now - this.#lastSentAt >= heartbeatMs - 1) {
      const unanswered = this.#heartbeats.values().next().value;
      if (unanswered !== undefined && this.#lastHeardAt < unanswered) return this.reclaim();
      this.#heartbeatId += 1;
      this.#heartbeats.set(this.#heartbeatId, now);
      this.#lastSentAt = now;
      this.#say({ type: "heartbeat", id: this.#heartbeatId });
    }
    this.#planHeartbeat(heartbeatMs);
  }
}
