import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import {
  forEachEvent,
  jsonOf,
  RunToRunner,
  type Outcome,
  type RunnerEvent,
  type RunnerToRun,
  type RunSpec,
  type Step,
} from "@millrace/contracts";
import { expect, vi } from "vitest";
import { objectNames } from "../platform-env.ts";
import type { RunRpc } from "../run/run-rpc.ts";
import { runStub } from "../stubs.ts";

const waitMs = 10_000;

/** A run of its own for one test, with a name that no other test has. */
export function makeSpec(change: Partial<RunSpec> = {}): RunSpec {
  return {
    orgId: `org-${crypto.randomUUID()}`,
    projectId: "p",
    runId: crypto.randomUUID(),
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
    createdAt: Date.now(),
    owner: null,
    session: null,
    repos: [],
    needsOwnPod: false,
    interactive: false,
    keepOpen: false,
    timeoutSeconds: null,
    startDeadlineSeconds: null,
    traceparent: null,
    ...change,
  };
}

export function runOf(spec: RunSpec) {
  return env.RUNS.getByName(objectNames.run(spec.orgId, spec.runId));
}

/** The object by its agreed interface. */
export function rpcOf(spec: RunSpec): RunRpc {
  return runStub(env, spec.orgId, spec.runId);
}

/** A run that waits for a runner with its first attempt. */
export async function releasedRun(change: Partial<RunSpec> = {}): Promise<RunSpec> {
  const spec = makeSpec(change);
  await rpcOf(spec).init(spec, { conversation: [], workspace: null });
  return spec;
}

export async function openSocket(spec: RunSpec, path: string): Promise<WebSocket> {
  const response = await runOf(spec).fetch(`https://run${path}`, {
    headers: { Upgrade: "websocket" },
  });
  if (!response.webSocket) throw new Error(`no socket: ${response.status}`);
  return response.webSocket;
}

export interface TestRunner {
  readonly socket: WebSocket;
  readonly runnerId: string;
  readonly heard: RunToRunner[];
  readonly closes: number[];
  send(message: RunnerToRun): void;
  /** Resolves with the next message of this type that was not taken yet. */
  next<T extends RunToRunner["type"]>(type: T): Promise<Extract<RunToRunner, { type: T }>>;
  claim(): Promise<Extract<RunToRunner, { type: "claimed" }>>;
  /** Sends a frame and waits for its ack. */
  append(producerSeq: number, events: readonly RunnerEvent[], more?: FrameRest): Promise<void>;
}

interface FrameRest {
  readonly steps?: Step[];
  readonly outcome?: Outcome;
}

/** A runner as the object sees it: one socket, authorised for one attempt. */
export async function attach(
  spec: RunSpec,
  attempt = 1,
  runnerId: string = crypto.randomUUID(),
): Promise<TestRunner> {
  const path = `/attach?org=${spec.orgId}&run=${spec.runId}&attempt=${attempt}`;
  const socket = await openSocket(spec, path);
  const heard: RunToRunner[] = [];
  const closes: number[] = [];
  let taken = 0;
  socket.addEventListener("message", ({ data }) => {
    heard.push(RunToRunner.parse(JSON.parse(String(data))));
  });
  socket.addEventListener("close", ({ code }) => {
    closes.push(code);
  });
  socket.accept();
  const runner: TestRunner = {
    socket,
    runnerId,
    heard,
    closes,
    send: (message) => socket.send(JSON.stringify(message)),
    next: (type) =>
      vi.waitFor(() => {
        const at = heard.findIndex((message, i) => i >= taken && message.type === type);
        if (at === -1) throw new Error(`no ${type}, heard ${JSON.stringify(heard.slice(taken))}`);
        taken = at + 1;
        return heard[at] as never;
      }, waitMs),
    claim: async () => {
      runner.send({ type: "claim", runnerId, attempt });
      return runner.next("claimed");
    },
    append: async (producerSeq, events, more = {}) => {
      runner.send({ type: "frame", producerSeq, events: [...events], ...more });
      await vi.waitFor(() => {
        const acked = heard.some(
          (message) => message.type === "ack" && message.producerSeq >= producerSeq,
        );
        if (!acked) throw new Error(`no ack of ${producerSeq}`);
      }, waitMs);
    },
  };
  return runner;
}

export interface SeenEvent {
  readonly seq: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export interface TestReader {
  readonly socket: WebSocket;
  readonly events: SeenEvent[];
  readonly closes: number[];
  /** Characters received; reported as consumed at once unless the reader is greedy. */
  received(): number;
  ended(): Promise<number>;
  until(type: string): Promise<SeenEvent>;
}

/** A reader; `stalled` never reports what it consumed. */
export async function follow(
  spec: RunSpec,
  { after = 0, stalled = false } = {},
): Promise<TestReader> {
  const path = `/read?projectId=${spec.projectId}&after=${after}`;
  const socket = await openSocket(spec, path);
  const events: SeenEvent[] = [];
  const closes: number[] = [];
  let received = 0;
  let cursor = after;
  socket.addEventListener("message", ({ data }) => {
    const text = String(data);
    received += text.length;
    forEachEvent(text, cursor, (event) => {
      const { seq, type } = event;
      events.push({ seq, type, data: JSON.parse(jsonOf(event)) as Record<string, unknown> });
      cursor = seq;
    });
    if (!stalled) socket.send(String(text.length));
  });
  socket.addEventListener("close", ({ code }) => {
    closes.push(code);
  });
  socket.accept();
  return {
    socket,
    events,
    closes,
    received: () => received,
    ended: () =>
      vi.waitFor(() => {
        const [code] = closes;
        if (code === undefined) throw new Error("still open");
        return code;
      }, waitMs),
    until: (type) =>
      vi.waitFor(() => {
        const event = events.find((seen) => seen.type === type);
        if (!event) throw new Error(`no ${type} in ${events.map((seen) => seen.type).join(" ")}`);
        return event;
      }, waitMs),
  };
}

/** Everything in the log of a run that is over, checked to be numbered 1, 2, 3 … */
export async function readLog(spec: RunSpec): Promise<SeenEvent[]> {
  const reader = await follow(spec);
  expect(await reader.ended()).toBe(1000);
  expect(reader.events.map(({ seq }) => seq)).toEqual(reader.events.map((_, i) => i + 1));
  return reader.events;
}

/** Everything in the log of a run that may still be open, up to its tail now. */
export async function readSoFar(spec: RunSpec, until: string): Promise<SeenEvent[]> {
  const reader = await follow(spec);
  await reader.until(until);
  reader.socket.close(1000);
  return reader.events;
}

/** Shifts the clock that the objects of this test file read; real timers go on as they are. */
export function makeClock(): {
  readonly advance: (ms: number) => void;
  readonly reset: () => void;
} {
  const realNow = Date.now.bind(Date);
  let offset = 0;
  const spy = vi.spyOn(Date, "now").mockImplementation(() => realNow() + offset);
  return {
    advance: (ms) => {
      offset += ms;
    },
    reset: () => {
      spy.mockRestore();
    },
  };
}

/** What the run still waits for or owes. */
export async function dueOf(spec: RunSpec): Promise<string[]> {
  return runInDurableObject(runOf(spec), (_, state) =>
    state.storage.sql
      .exec<{ what: string }>("SELECT what FROM due ORDER BY what")
      .toArray()
      .map(({ what }) => what),
  );
}
