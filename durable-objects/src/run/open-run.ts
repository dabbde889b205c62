import { limits, type RunSpec } from "@millrace/contracts";
import type { PlatformEnv } from "../platform-env.ts";
import type { Alarm } from "../log/alarm.ts";
import { LogArchive } from "./log-archive.ts";
import { loadMemory } from "./memory.ts";
import { Outbox } from "./outbox.ts";
import { readerTag, Readers } from "../log/readers.ts";
import { RunRecord, type Committed } from "./run-record.ts";
import { runnerTag } from "./runner-link.ts";
import { RunnerSockets } from "./runner-sockets.ts";
import { Sessions } from "./sessions.ts";
import type { RunStore } from "./store.ts";
import type { Timings } from "./timings.ts";
import { Uploads } from "./uploads.ts";

/** A run that exists, with everything that serves it. Built when the object wakes, or by init. */
export interface OpenRun {
  readonly record: RunRecord;
  readonly runners: RunnerSockets;
  readonly readers: Readers;
  readonly outbox: Outbox;
  readonly uploads: Uploads;
  readonly archive: LogArchive;
  readonly sessions: Sessions;
  readonly timings: Timings;
}

interface Parts {
  readonly spec: RunSpec;
  readonly ctx: DurableObjectState;
  readonly env: PlatformEnv;
  readonly store: RunStore;
  readonly alarm: Alarm;
}

/** Wires the parts of a run together, sockets that outlived a hibernation included. */
export function openRun({ spec, ctx, env, store, alarm }: Parts, timings: Timings): OpenRun {
  const memory = loadMemory(store, Date.now());
  const record = new RunRecord({ spec, memory }, { store, alarm, timings }, announce);
  const readers = new Readers(
    {
      store,
      end: () => ({ seq: record.tail.seq, over: record.state.stage.kind === "over" }),
      onStuck: () => watchReaders(store, alarm),
    },
    ctx.getWebSockets(readerTag),
  );
  const tokenSecret = env.RUN_TOKEN_SECRET;
  const runners = new RunnerSockets(
    { record, store, timings, tokenSecret },
    ctx.getWebSockets(runnerTag),
  );
  // Who still reads comes back to its place, and is sent to R2.
  const onMoved = () => readers.closeAll(1012, "the log has moved");
  const archive = new LogArchive({ env, record, store, alarm, onMoved });
  const sessions = new Sessions(env, record);
  const outbox = new Outbox({ env, record, store, alarm, archive, sessions });
  const uploads = new Uploads(record);
  return { record, runners, readers, outbox, uploads, archive, sessions, timings };

  /** After each commit: everyone hears what concerns them. */
  function announce(committed: Committed): void {
    if (committed.rows.length > 0) readers.publish(committed.rows);
    if (committed.before.state === committed.after.state) return;
    announceStage(committed);
    if (committed.after.state.stage.kind === "over") ctx.waitUntil(settle());
  }

  function announceStage({ before, after }: Committed): void {
    const { stage } = after.state;
    if (stage === before.state.stage) return;
    if (stage.kind === "cancelling") runners.push("cancel");
    if (stage.kind === "stopping") runners.push("stop");
    if (stage.kind === "dispatched") ctx.waitUntil(outbox.dispatch());
    if (before.state.stage.kind !== "dispatched") return;
    const isClaimed = stage.kind === "running";
    ctx.waitUntil(isClaimed ? outbox.withdrawClaimed() : outbox.withdraw());
  }

  async function settle(): Promise<void> {
    // First the price, so that what others are told at the end includes it.
    await outbox.price();
    await outbox.deliverNow();
  }
}

function watchReaders(store: RunStore, alarm: Alarm): void {
  if (store.due("readers") !== null) return;
  const at = Date.now() + limits.readerStuckMs;
  store.saveDue({ what: "readers", at, tries: 0, mark: 0 });
  alarm.by(at);
}
