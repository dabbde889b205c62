import { describe, expect, it } from "vitest";
import {
  lateName,
  type LoggedEvent,
  type ReaderRecord,
  type RunRecord,
  type SeenFrame,
  type TortureRecord,
} from "../record.ts";
import { check } from "./check.ts";

const second = (at: number): string => new Date(1_700_000_000_000 + at * 1_000).toISOString();
const atSecond = (at: number): number => Date.parse(second(at));

type Fact = readonly [type: string, data?: LoggedEvent["data"]];

/** A log of these events, one a second. */
const logOf = (...facts: readonly Fact[]): readonly LoggedEvent[] =>
  facts.map(([type, data = {}], index) => ({ seq: index + 1, ts: second(index), type, data }));

const started = (attempt: number): Fact => ["run.started", { attempt }];
const toolStarted: Fact = [
  "tool.started",
  { callId: "c1", input: { command: ": mark k-0; echo" } },
];
const toolFinished: Fact = ["tool.finished", { callId: "c1", ok: true }];

const begun: Fact = ["tool.output", { callId: "c1", chunk: "begin-0\n" }];
const call: readonly Fact[] = [toolStarted, begun, toolFinished];

const phaseStarted: Fact = ["run.phase", { phase: "build", state: "started" }];

/** A message in these pieces. */
const words = (...pieces: readonly string[]): readonly Fact[] => [
  ["text.started", { messageId: "m1" }],
  ...pieces.map((text): Fact => ["text.delta", { messageId: "m1", text }]),
  ["text.finished", { messageId: "m1" }],
];

const goodLog = logOf(
  ["run.queued"],
  started(1),
  phaseStarted,
  ...words("Think", " first."),
  toolStarted,
  begun,
  toolFinished,
  ["run.succeeded"],
);

const framesOf = (log: readonly LoggedEvent[]): readonly SeenFrame[] =>
  log.map(({ seq, ts, data }) => ({ id: seq, event: "status", data, ts }));

const sseReader = (frames: readonly SeenFrame[]): ReaderRecord => ({
  kind: "sse",
  ids: frames.map(({ id }) => id),
  items: frames.map((frame) => JSON.stringify(frame)),
  ended: true,
  connections: 2,
});

const streamReader = (log: readonly LoggedEvent[]): ReaderRecord => ({
  kind: "stream",
  ids: log.map(({ seq }) => seq),
  items: log.map((event) => JSON.stringify(event)),
  ended: true,
  connections: 1,
});

/** A run that kept every promise, but for what is given. */
function runWith(given: Partial<RunRecord> = {}): RunRecord {
  const log = given.log ?? goodLog;
  const frames = framesOf(log);
  return {
    runId: "r1",
    projectId: "p1",
    status: "completed",
    log,
    frames,
    readers: [sseReader(frames), streamReader(log)],
    cancels: [],
    executions: [{ mark: "k-0", at: atSecond(3) }],
    modelCalls: [{ at: atSecond(2) }],
    messages: ["Think first."],
    strangerStatuses: [404, 404],
    ...given,
  };
}

const recordOf = (run: RunRecord, creates: TortureRecord["creates"] = []): TortureRecord => ({
  creates,
  runs: [run],
});

const created = { key: "k", body: 0, status: 200, runId: "r1" };
const refused = { key: "k", body: 1, status: 409, runId: null };
const cancelledLog = logOf(["run.queued"], started(1), ["run.cancelling"], ["run.cancelled"]);
const forcedLog = logOf(["run.queued"], started(1), ["run.cancelled", { forced: true }]);
const late1: Fact = ["custom", { name: lateName, value: 1 }];
const retriedLog = logOf(
  ["run.queued"],
  started(1),
  toolStarted,
  ["tool.finished", { callId: "c1", ok: false }],
  started(2),
  ["run.succeeded"],
);
const late = { mark: "k-0", at: atSecond(60) };

const good: readonly (readonly [string, TortureRecord])[] = [
  ["a run that succeeded", recordOf(runWith())],
  ["repeats of a create", recordOf(runWith(), [created, created, refused])],
  [
    "a run that was cancelled",
    recordOf(
      runWith({
        status: "cancelled",
        log: cancelledLog,
        cancels: [{ cancelled: true, at: atSecond(3) }],
        executions: [],
      }),
    ),
  ],
  [
    "a cancel that came too late",
    recordOf(runWith({ cancels: [{ cancelled: false, at: atSecond(9) }] })),
  ],
  [
    "a runner that was cut off, and works until its own lease ends",
    recordOf(runWith({ status: "cancelled", log: forcedLog, executions: [late] })),
  ],
  ["an attempt that was interrupted", recordOf(runWith({ log: retriedLog }))],
  [
    "a runner that slept, and woke up in time",
    recordOf(
      runWith({ log: logOf(["run.queued"], started(1), late1, ["run.succeeded"]), executions: [] }),
    ),
  ],
  [
    "a message that was interrupted",
    recordOf(
      runWith({
        log: logOf(
          ["run.queued"],
          started(1),
          ["text.started", { messageId: "m1" }],
          ["text.delta", { messageId: "m1", text: "Thi" }],
          ["text.finished", { messageId: "m1", interrupted: true }],
          ["run.failed"],
        ),
        executions: [],
      }),
    ),
  ],
  [
    "a reader that left early",
    recordOf(runWith({ readers: [{ ...streamReader(goodLog.slice(0, 3)), ended: false }] })),
  ],
];

const bad: readonly (readonly [string, string, TortureRecord])[] = [
  ["P1", "a run without an end", recordOf(runWith({ status: "running" }))],
  [
    "P1",
    "a run that nobody knows",
    recordOf(runWith(), [{ ...created, key: "other", runId: "r2" }]),
  ],
  ["P2", "a hole", recordOf(runWith({ log: goodLog.filter(({ seq }) => seq !== 4) }))],
  [
    "P2",
    "a reader that missed one",
    recordOf(runWith({ readers: [streamReader(goodLog.filter(({ seq }) => seq !== 4))] })),
  ],
  [
    "P2",
    "a reader that got one twice",
    recordOf(runWith({ readers: [streamReader([...goodLog.slice(0, 3), ...goodLog.slice(2)])] })),
  ],
  [
    "P2",
    "a reader that got another text",
    recordOf(
      runWith({
        readers: [sseReader(framesOf(goodLog).map((one) => ({ ...one, event: "token" })))],
      }),
    ),
  ],
  [
    "P2",
    "a frame that is no event",
    recordOf(runWith({ frames: framesOf(goodLog).slice(1), readers: [] })),
  ],
  ...(
    [
      ["a piece that is there twice", words("Think", " first.", " first.")],
      ["a piece that is missing", words("Think")],
      ["a message that is there twice", [...words("Think first."), ...words("")]],
      ["a line that is there twice", [toolStarted, begun, begun, toolFinished]],
      ["a line that is missing", [toolStarted, toolFinished]],
      ["a phase that is there twice", [phaseStarted, phaseStarted]],
    ] as const
  ).map(([what, facts]): (typeof bad)[number] => [
    what.startsWith("a message") ? "P4" : "P2",
    what,
    recordOf(runWith({ log: logOf(["run.queued"], started(1), ...facts, ["run.succeeded"]) })),
  ]),
  [
    "P3",
    "two ends",
    recordOf(runWith({ log: logOf(["run.queued"], ["run.failed"], ["run.succeeded"]) })),
  ],
  [
    "P3",
    "something behind the end",
    recordOf(runWith({ log: logOf(["run.queued"], ["run.succeeded"], ["usage"]) })),
  ],
  [
    "P3",
    "a reader that was let go before the end",
    recordOf(runWith({ readers: [streamReader(goodLog.slice(0, 3))] })),
  ],
  [
    "P4",
    "a late write of an attempt that was replaced",
    recordOf(
      runWith({
        log: logOf(
          ["run.queued"],
          started(1),
          toolStarted,
          ["tool.finished", { callId: "c1", ok: false }],
          started(2),
          begun,
          ["run.succeeded"],
        ),
      }),
    ),
  ],
  [
    "P4",
    "a runner that slept too long, and writes into its successor's attempt",
    recordOf(
      runWith({
        log: logOf(["run.queued"], started(1), ["run.retrying"], started(2), late1, ["run.failed"]),
      }),
    ),
  ],
  [
    "P4",
    "a runner that slept too long, and writes before its successor",
    recordOf(
      runWith({
        log: logOf(["run.queued"], started(1), ["run.retrying"], late1, started(2), ["run.failed"]),
      }),
    ),
  ],
  [
    "P4",
    "an attempt that leaves something open",
    recordOf(
      runWith({ log: logOf(["run.queued"], started(1), toolStarted, started(2), ["run.failed"]) }),
    ),
  ],
  [
    "P4",
    "an attempt that starts twice",
    recordOf(runWith({ log: logOf(["run.queued"], started(1), started(1), ["run.failed"]) })),
  ],
  [
    "P5",
    "a cancel that was accepted and forgotten",
    recordOf(runWith({ cancels: [{ cancelled: true, at: atSecond(3) }] })),
  ],
  ["P5", "a command behind the end", recordOf(runWith({ executions: [late] }))],
  ["P5", "a model call behind the end", recordOf(runWith({ modelCalls: [{ at: late.at }] }))],
  ["P6", "one key, two runs", recordOf(runWith(), [created, { ...created, runId: "r2" }])],
  ["P6", "one key, two bodies", recordOf(runWith(), [created, { ...created, body: 1 }])],
  ["P7", "a stranger who sees a run", recordOf(runWith({ strangerStatuses: [404, 200] }))],
  [
    "P9",
    "a command that was executed twice",
    recordOf(runWith({ executions: [1, 2].map((at) => ({ mark: "k-0", at: atSecond(at) })) })),
  ],
  ["P9", "a command that completed and did nothing", recordOf(runWith({ executions: [] }))],
  [
    "P9",
    "a call that completed twice",
    recordOf(
      runWith({
        log: logOf(["run.queued"], started(1), ...call, ...call, ["run.succeeded"]),
      }),
    ),
  ],
];

describe("check", () => {
  it.each(good)("finds nothing wrong with %s", (_, record) => {
    expect(check(record)).toEqual([]);
  });

  it.each(bad)("%s: sees %s", (promise, _, record) => {
    expect(check(record).map((violation) => violation.promise)).toContain(promise);
  });
});
