import {
  PoolToOperator,
  SessionRun,
  sessionPaths,
  type JsonValue,
  type OperatorToPool,
  type SessionReport,
} from "@millrace/contracts";
import { ask, askJson, uniqueName } from "./api.ts";
import { Inbox, openSocket } from "./socket-inbox.ts";

type Heard<Type extends PoolToOperator["type"]> = Extract<PoolToOperator, { type: Type }>;

/** A pool of its own for one test. */
export interface TestPool {
  readonly pool: string;
  readonly token: string;
}

export async function makePool(workspaceBackend = "cluster"): Promise<TestPool> {
  const name = `p${crypto.randomUUID().slice(0, 13)}`;
  const { body } = await askJson("/v1/pools", { json: { name, workspaceBackend } });
  return { pool: name, token: body.data.token };
}

/** An operator that does what a test says, through the front door. It leads unless told otherwise. */
export class ScriptedOperator {
  readonly operatorId = crypto.randomUUID();
  /** Resolves with the code with which the platform has closed it. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #inbox: Inbox<PoolToOperator>;
  #left: PoolToOperator[] = [];

  private constructor(socket: WebSocket, inbox: Inbox<PoolToOperator>) {
    this.#socket = socket;
    this.#inbox = inbox;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    socket.addEventListener("close", ({ code }) => resolve(code));
  }

  static async join({ pool, token }: TestPool, leader = true): Promise<ScriptedOperator> {
    const inbox = new Inbox<PoolToOperator>();
    const socket = await openSocket(sessionPaths.operatorSocket(pool), token, (text) =>
      inbox.put(PoolToOperator.parse(JSON.parse(text))),
    );
    const operator = new ScriptedOperator(socket, inbox);
    operator.say({ type: "hello", operatorId: operator.operatorId, version: "1.2.3", leader });
    await operator.heard("welcome");
    return operator;
  }

  say(message: OperatorToPool): void {
    this.#socket.send(JSON.stringify(message));
  }

  report(report: Omit<SessionReport, "type" | "evidence">): void {
    this.say({ type: "report", evidence: {}, ...report });
  }

  /** The next message of this type that fits; what others look for is left to them. */
  async heard<Type extends PoolToOperator["type"]>(
    type: Type,
    fits: (message: Heard<Type>) => boolean = () => true,
  ): Promise<Heard<Type>> {
    const isIt = (message: PoolToOperator): message is Heard<Type> =>
      message.type === type && fits(message as Heard<Type>);
    const known = this.#left.find(isIt);
    if (known) {
      this.#left = this.#left.filter((message) => message !== known);
      return known;
    }
    for (;;) {
      const message = await this.#inbox.next();
      if (isIt(message)) return message;
      this.#left.push(message);
    }
  }

  close(): void {
    this.#socket.close(1000);
  }
}

/** What an operator asks over HTTP. */
export async function askAsPool(
  { token }: Pick<TestPool, "token">,
  path: string,
  method = "GET",
  json?: JsonValue,
) {
  const headers = { authorization: `Bearer ${token}` };
  return ask(path, { method, headers, key: null, ...(json === undefined ? {} : { json }) });
}

/** Makes the run of a new AgenticSession. */
export async function makeSessionRun(
  pool: TestPool,
  change: Readonly<Record<string, JsonValue>> = {},
): Promise<SessionRun> {
  const session = { uid: crypto.randomUUID(), namespace: "team-a", name: uniqueName("s") };
  const body = { prompt: "do it", owner: "alice", repos: [], session, ...limitsOfNone, ...change };
  const response = await askAsPool(pool, sessionPaths.runs(pool.pool), "POST", body);
  return SessionRun.parse(await response.json());
}

const limitsOfNone = { timeoutSeconds: null, startDeadlineSeconds: null };
