import {
  PoolToRunner,
  RunToRunner,
  runnerPaths,
  type Offer,
  type Outcome,
  type RunnerEvent,
  type RunnerToPool,
  type RunnerToRun,
} from "@millrace/contracts";
import { ask } from "./api.ts";
import { Inbox, openSocket } from "./socket-inbox.ts";

interface RunnerPlace {
  readonly pool: string;
  readonly token: string;
  readonly kind?: "warm";
  readonly podName?: string;
}

const defaultPlace: RunnerPlace = { pool: "default", token: "test-pool-token" };

/** A runner that does what a test says, through the front door. */
export class ScriptedRunner {
  readonly runnerId = crypto.randomUUID();
  readonly #offered: string[] = [];
  readonly #welcomed = Promise.withResolvers<void>();
  #offers = new Inbox<Offer>();
  #socket: WebSocket | undefined;

  static async join(slots = 1000, of: RunnerPlace = defaultPlace): Promise<ScriptedRunner> {
    const runner = new ScriptedRunner();
    const { pool, token, ...kind } = of;
    const socket = await openSocket(runnerPaths.poolSocket(pool), token, (text) => {
      const message = PoolToRunner.parse(JSON.parse(text));
      if (message.type === "welcome") runner.#welcomed.resolve();
      if (message.type !== "offer") return;
      const { runId, attempt } = message;
      say({ type: "accept", runId, attempt });
      runner.#offered.push(runId);
      runner.#offers.put(message);
    });
    runner.#socket = socket;
    const say = (message: RunnerToPool) => socket.send(JSON.stringify(message));
    const { runnerId } = runner;
    say({ type: "hello", runnerId, version: "test", slots, free: slots, ...kind });
    return runner;
  }

  /** The pool knows of it. */
  get welcome(): Promise<void> {
    return this.#welcomed.promise;
  }

  /** Its process is gone. */
  close(): void {
    this.#socket?.close(1000);
  }

  /** How often this run was offered. */
  offersOf(runId: string): number {
    return this.#offered.filter((offered) => offered === runId).length;
  }

  /** Claims this run once it is offered; the runs of other tests may wait. */
  async take(runId: string): Promise<ScriptedAttempt> {
    for (;;) {
      const offer = await this.#offers.next();
      if (offer.runId === runId) return ScriptedAttempt.claim(offer, this.runnerId);
    }
  }
}

/** What an attempt needs of the offer, or of the session, that it comes from. */
type AttemptOffer = Pick<Offer, "orgId" | "runId" | "attempt" | "token">;

export class ScriptedAttempt {
  readonly offer: AttemptOffer;
  readonly token: string;
  #socket: WebSocket;
  #heard: Inbox<RunToRunner>;
  #sent = 0;

  private constructor(offer: AttemptOffer, socket: WebSocket, heard: Inbox<RunToRunner>) {
    this.offer = offer;
    this.token = offer.token;
    this.#socket = socket;
    this.#heard = heard;
  }

  static async claim(offer: AttemptOffer, runnerId: string): Promise<ScriptedAttempt> {
    const heard = new Inbox<RunToRunner>();
    const path = runnerPaths.runSocket(offer.runId);
    const socket = await openSocket(path, offer.token, (text) =>
      heard.put(RunToRunner.parse(JSON.parse(text))),
    );
    const attempt = new ScriptedAttempt(offer, socket, heard);
    attempt.#say({ type: "claim", runnerId, attempt: offer.attempt });
    await attempt.heard("claimed");
    return attempt;
  }

  async append(events: readonly RunnerEvent[], outcome?: Outcome): Promise<void> {
    this.#sent += 1;
    const producerSeq = this.#sent;
    const end = outcome === undefined ? {} : { outcome };
    this.#say({ type: "frame", producerSeq, events: [...events], ...end });
    for (;;) {
      const message = await this.heard("ack");
      if (message.producerSeq >= producerSeq) return;
    }
  }

  async heard<T extends RunToRunner["type"]>(type: T): Promise<Extract<RunToRunner, { type: T }>> {
    for (;;) {
      const message = await this.#heard.next();
      if (message.type === "refused") throw new Error(`refused: ${message.code}`);
      if (message.type === type) return message as Extract<RunToRunner, { type: T }>;
    }
  }

  /** Asks the edge for something with this attempt's token. */
  ask(path: string, method: string, body?: BodyInit): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}` };
    return ask(path, { method, headers, key: null, ...(body === undefined ? {} : { body }) });
  }

  #say(message: RunnerToRun): void {
    this.#socket.send(JSON.stringify(message));
  }
}
