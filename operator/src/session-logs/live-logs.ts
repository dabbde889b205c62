import {
  type Logger,
  type LogFollow,
  LogSinkMessage,
  type LogSourceMessage,
  limits,
  makeRedactor,
  sessionPaths,
} from "@millrace/contracts";
import { WebSocket } from "ws";
import { socketAgent } from "../edge/proxy.ts";
import type { Pod } from "../agentic-session/facts.ts";
import type { SessionSettings } from "../agentic-session/session-settings.ts";
import type { Session } from "../agentic-session/session.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/kube-client.ts";
import { hiddenValues } from "./hidden-values.ts";
import { LineRedactor } from "./line-redactor.ts";
import { openLog } from "./open-log.ts";
import { type StampedLine, sinceOf, stampedLines } from "./stamped-lines.ts";

export interface LiveLogsOptions {
  readonly url: string;
  readonly token: () => string;
  readonly settings: Pick<SessionSettings, "pool" | "providerSecret" | "tracing">;
  readonly log: Logger;
  /** The session of a run, and the pod of its attempt as it is now. */
  readonly find: (runId: string, attempt: number) => LiveTarget | undefined;
}

interface LiveTarget {
  readonly session: Session;
  readonly pod: Pod | undefined;
}

/** The time in which this replica leads. */
interface Term {
  readonly api: Pick<KubeClient, "request" | "get">;
  readonly signal: AbortSignal;
}

const handshakeMs = 10_000;
/** Logs that are followed at a time; each is a connection to the API server and one to the platform. */
const maxFeeds = 500;
const messageChars = 64 * 1024;

/** Shows the platform what containers write, as long as somebody there reads it. */
export class LiveLogs {
  readonly #options: LiveLogsOptions;
  readonly #feeds = new Map<string, LiveFeed>();
  #term: Term | undefined;

  constructor(options: LiveLogsOptions) {
    this.#options = options;
  }

  lead(term: Term): void {
    this.#term = term;
    term.signal.addEventListener("abort", () => this.#resign(term), { once: true });
  }

  /** The platform asks for a log; one that is open already is left as it is. */
  readonly follow = (ask: LogFollow): void => {
    const key = `${ask.runId}/${ask.attempt}/${ask.container}`;
    const { log } = this.#options;
    if (!this.#term || this.#feeds.has(key)) return;
    if (this.#feeds.size >= maxFeeds) return log.warn("too many logs are followed", { ...ask });
    const feed = new LiveFeed(ask, this.#options, this.#term, () => this.#feeds.delete(key));
    this.#feeds.set(key, feed);
    feed.open();
  };

  #resign(term: Term): void {
    if (this.#term !== term) return;
    this.#term = undefined;
    for (const feed of this.#feeds.values()) feed.close();
  }
}

/** One container's log on its way: from kubelet, no faster than the platform takes it. */
class LiveFeed {
  readonly #ask: LogFollow;
  readonly #options: LiveLogsOptions;
  readonly #api: Term["api"];
  readonly #over = new AbortController();
  readonly #onClosed: () => void;
  #socket: WebSocket | undefined;
  #inFlight = 0;
  #taken: (() => void) | undefined;
  #isBegun = false;

  constructor(ask: LogFollow, options: LiveLogsOptions, { api }: Term, onClosed: () => void) {
    this.#ask = ask;
    this.#options = options;
    this.#api = api;
    this.#onClosed = onClosed;
  }

  open(): void {
    const { url, token, settings, log } = this.#options;
    const { runId, attempt, container } = this.#ask;
    const target = new URL(sessionPaths.liveLog(settings.pool, runId, attempt, container), url);
    target.protocol = target.protocol.replace("http", "ws");
    const socket = new WebSocket(target, {
      headers: { authorization: `Bearer ${token()}` },
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
      ...socketAgent(target),
    });
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      if (!isBinary && Buffer.isBuffer(data)) this.#hear(data.toString("utf8"));
    });
    // Every error is followed by "close".
    socket.on("error", (error) => log.warn("a log's socket failed", { error: error.message }));
    socket.on("close", () => this.#closed());
  }

  close(): void {
    this.#socket?.close(1001, "not the leader");
    this.#closed();
  }

  #closed(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#taken?.();
    this.#onClosed();
  }

  #hear(text: string): void {
    const message = parse(text);
    if (message?.type === "taken") {
      this.#inFlight -= message.chars;
      if (this.#inFlight < limits.readerCreditBytes) this.#taken?.();
    }
    if (message?.type !== "from" || this.#isBegun) return;
    this.#isBegun = true;
    void this.#run(message.after);
  }

  async #run(after: number | null): Promise<void> {
    const { log } = this.#options;
    try {
      await this.#show(after);
      this.#socket?.close(1000);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      log.warn("a log cannot be followed", { ...this.#ask, error });
      // The platform asks again, from the last line that it has.
      this.#socket?.close(1011, "the log broke");
    }
  }

  async #show(after: number | null): Promise<void> {
    const { runId, attempt, container } = this.#ask;
    const target = this.#options.find(runId, attempt);
    if (!target?.pod) return this.#refuse(`attempt ${attempt} has no pod in the cluster now`);
    const { session, pod } = target;
    const { settings } = this.#options;
    const hidden = await hiddenValues(session, attempt, settings, this.#api);
    const redactor = new LineRedactor(makeRedactor(hidden));
    const body = await this.#openLog(pod, after);
    if (typeof body === "string") return this.#refuse(body);
    this.#say({ type: "opened" });
    let last = after ?? 0;
    for await (const lines of stampedLines(body)) {
      const fresh = lines.filter(([id]) => id > (after ?? 0));
      last = fresh.at(-1)?.[0] ?? last;
      await this.#send(cleaned(fresh, redactor));
    }
    const rest = redactor.end();
    if (rest !== undefined) await this.#send([[last + 1, rest]]);
    this.#say({ type: "end" });
    this.#options.log.info("a followed log has ended", { runId, attempt, container });
  }

  /** The log, or why there is none. */
  async #openLog(pod: Pod, after: number | null): Promise<AsyncIterable<Uint8Array> | string> {
    const { container } = this.#ask;
    const from =
      after === null ? { tailLines: limits.liveLogTailLines } : { sinceTime: sinceOf(after) };
    const ask = { container, follow: true, timestamps: true, ...from };
    try {
      return await openLog(this.#api, pod.metadata, ask, this.#over.signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500) throw error;
      return `container ${container} of pod ${pod.metadata.name}: ${error.message}`.slice(0, 1024);
    }
  }

  async #send(lines: readonly StampedLine[]): Promise<void> {
    for (const part of partsOf(lines)) {
      if (this.#over.signal.aborted) throw new Error("nobody reads any more");
      while (this.#inFlight >= limits.readerCreditBytes && !this.#over.signal.aborted) {
        await new Promise<void>((resolve) => (this.#taken = resolve));
      }
      this.#inFlight += part.reduce((sum, [, text]) => sum + text.length, 0);
      this.#say({ type: "lines", lines: part.map(([id, text]) => [id, text]) });
    }
  }

  #refuse(message: string): void {
    this.#say({ type: "refused", message });
  }

  #say(message: LogSourceMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

function cleaned(lines: readonly StampedLine[], redactor: LineRedactor): readonly StampedLine[] {
  return lines.flatMap(([id, line]): readonly StampedLine[] => {
    const text = redactor.push(line);
    return text === undefined ? [] : [[id, text]];
  });
}

/** Messages of a bearable size. */
function* partsOf(lines: readonly StampedLine[]): Generator<readonly StampedLine[]> {
  let part: StampedLine[] = [];
  let chars = 0;
  for (const line of lines) {
    part.push(line);
    chars += line[1].length;
    if (chars < messageChars) continue;
    yield part;
    part = [];
    chars = 0;
  }
  if (part.length > 0) yield part;
}

function parse(text: string): LogSinkMessage | undefined {
  try {
    const message = LogSinkMessage.safeParse(JSON.parse(text));
    return message.success ? message.data : undefined;
  } catch {
    return undefined;
  }
}
