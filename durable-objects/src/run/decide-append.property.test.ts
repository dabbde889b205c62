import * as fc from "fast-check";
import { describe, expect } from "vitest";
import { property } from "../testing/property.ts";
import { decideAppend, type AppendDecision, type ProducerPosition } from "./decide-append.ts";

/** What may happen on the way between attempts and the log. Attempts live on after they were replaced. */
type Input =
  /** The attempt sends frame number `seq`: new, again, or too far ahead. */
  | {
      readonly kind: "send";
      readonly attempt: number;
      readonly seq: number;
      readonly acked: boolean;
    }
  | { readonly kind: "replace" | "end" };

const inputs: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      attempt: fc.integer({ min: 1, max: 3 }),
      seq: fc.integer({ min: 1, max: 5 }),
      acked: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Input>({ kind: "replace" }) },
  fc.constant<Input>({ kind: "end" }),
);

interface Log {
  readonly position: ProducerPosition;
  readonly over: boolean;
  /** The frames in the log, as `attempt.seq`. */
  readonly frames: readonly string[];
}

const emptyLog: Log = { position: { epoch: 1, next: 1 }, over: false, frames: [] };

const judge = ({ position, over }: Log, attempt: number, producerSeq: number): AppendDecision =>
  decideAppend(position, { attempt, producerSeq, writer: over ? null : position.epoch, over });

function append(log: Log, attempt: number, seq: number): Log {
  if (judge(log, attempt, seq).kind !== "accepted") return log;
  const position = { epoch: log.position.epoch, next: seq + 1 };
  return { ...log, position, frames: [...log.frames, `${attempt}.${seq}`] };
}

function play(log: Log, input: Input): Log {
  switch (input.kind) {
    case "send":
      return append(log, input.attempt, input.seq);
    case "replace":
      return log.over ? log : { ...log, position: { epoch: log.position.epoch + 1, next: 1 } };
    case "end":
      return { ...log, over: true };
  }
}

const scripts = fc.array(inputs, { maxLength: 60, size: "max" });

describe("decideAppend, however frames are mixed, doubled and lost", () => {
  property(
    "every attempt's frames lie in the log once, in order, and together",
    scripts,
    (script) => {
      const { frames } = script.reduce(play, emptyLog);
      const places = frames.map((frame) => frame.split(".").map(Number));
      for (const [i, [attempt = 0, seq]] of places.entries()) {
        const [before = 0, seqBefore = 0] = places[i - 1] ?? [];
        expect(attempt).toBeGreaterThanOrEqual(before);
        expect(seq).toBe(attempt === before ? seqBefore + 1 : 1);
      }
    },
  );

  property(
    "only the current attempt changes the log, and nobody after its end",
    scripts,
    (script) => {
      let log = emptyLog;
      for (const input of script) {
        const after = play(log, input);
        const changed = after.frames !== log.frames;
        const mayWrite = input.kind === "send" && !log.over && input.attempt === log.position.epoch;
        if (changed) expect(mayWrite).toBe(true);
        log = after;
      }
    },
  );

  property("tells a writer that comes too late that the run is over", scripts, (script) => {
    const log = { ...script.reduce(play, emptyLog), over: true };
    const { epoch, next } = log.position;
    const over = { kind: "refused", code: "run_over" };
    expect(judge(log, epoch, next)).toEqual(over);
    expect(judge(log, epoch, next + 1)).toEqual(over);
    expect(judge(log, epoch + 1, 1)).toEqual(over);
  });

  property(
    "what was committed is answered with success again, until the next attempt",
    scripts,
    (script) => {
      let log = emptyLog;
      for (const input of script) {
        log = play(log, input);
        const { epoch, next } = log.position;
        for (let seq = 1; seq < next; seq += 1) {
          expect(judge(log, epoch, seq)).toEqual({ kind: "duplicate" });
        }
      }
    },
  );

  property(
    "a writer that resends from the number it is told gets everything in",
    scripts,
    (script) => {
      let log = script.reduce(play, emptyLog);
      if (log.over) return;
      const attempt = log.position.epoch;
      let seq = 9;
      for (let tries = 0; tries < 20 && log.position.next <= 9; tries += 1) {
        const decision = judge(log, attempt, seq);
        log = append(log, attempt, seq);
        const told = decision.kind === "refused" ? (decision.expected ?? 0) : seq + 1;
        expect(told).toBeGreaterThan(0);
        seq = told;
      }
      const written = log.frames.filter((frame) => frame.startsWith(`${attempt}.`));
      expect(written).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${attempt}.${n}`));
    },
  );
});
