import { LogSinkMessage, type LogSourceMessage, sessionPaths } from "@millrace/contracts";
import type { TestPool } from "./scripted-operator.ts";
import { Inbox, openSocket } from "./socket-inbox.ts";

/** The operator's socket of one log, from `runner` in attempt 1; it says what a test wants. */
export class ScriptedLog {
  readonly #socket: WebSocket;
  readonly #inbox: Inbox<LogSinkMessage>;
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket, inbox: Inbox<LogSinkMessage>) {
    this.#socket = socket;
    this.#inbox = inbox;
    this.closed = new Promise((resolve) =>
      socket.addEventListener("close", ({ code }) => resolve(code)),
    );
  }

  static async open({ pool, token }: TestPool, runId: string): Promise<ScriptedLog> {
    const inbox = new Inbox<LogSinkMessage>();
    const path = sessionPaths.liveLog(pool, runId, 1, "runner");
    const socket = await openSocket(path, token, (text) =>
      inbox.put(LogSinkMessage.parse(JSON.parse(text))),
    );
    return new ScriptedLog(socket, inbox);
  }

  say(message: LogSourceMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  lines(...lines: [number, string][]): void {
    this.say({ type: "lines", lines });
  }

  next(): Promise<LogSinkMessage> {
    return this.#inbox.next();
  }

  /** As when its process dies. */
  breakOff(): void {
    this.#socket.close(1011, "gone");
  }
}
