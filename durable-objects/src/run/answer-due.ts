import { limits } from "@millrace/contracts";
import type { Alarm } from "../log/alarm.ts";
import { decideStartDeadline } from "./decide-dispatch.ts";
import type { DueItem, DueKey } from "./decide-due.ts";
import { decideExpiry } from "./decide-expiry.ts";
import { isWebhookKey } from "./decide-webhook.ts";
import type { OpenRun } from "./open-run.ts";
import type { RunStore } from "./store.ts";

/**
 * What the alarm does: reads again what is due, acts on the run itself, puts every effect off to its next try and sets the
 * alarm anew. It answers the effects that are to be tried now. A crash at any point leaves a row and an alarm behind.
 */
export function answerDue(run: OpenRun, store: RunStore, alarm: Alarm): readonly DueItem[] {
  const now = Date.now();
  run.runners.flush();
  const effects: DueItem[] = [];
  for (const item of store.dueBy(now)) {
    if (isEffect(item)) effects.push(item);
    else attemptChange(run, store, item, now);
  }
  for (const item of effects) {
    // A change above may have taken the row away, or promised anew under its key.
    const current = store.due(item.what);
    if (current !== null && current.at <= now) run.outbox.postpone(current, now);
  }
  alarm.set(store.nextDue());
  return effects;
}

const effectKeys = new Set<DueKey>([
  "dispatch",
  "session_stop",
  "pool",
  "report",
  "index",
  "artifacts",
  "archive",
  "archived",
]);

function isEffect({ what }: DueItem): boolean {
  const isOneOfMany = what.startsWith("fence:") || what.startsWith("abort:") || isWebhookKey(what);
  return isOneOfMany || effectKeys.has(what);
}

/** Tries to fulfil what is owed; a failure is left to the next alarm. */
export async function performEffect(run: OpenRun, { what }: DueItem): Promise<void> {
  if (what === "dispatch") {
    if (run.record.state.stage.kind === "dispatched") await run.outbox.dispatch();
    return;
  }
  if (what === "session_stop") await run.sessions.stop();
  else await run.outbox.deliver(what);
}

/** One bad item must not keep the others waiting, nor come back at once for ever. */
function attemptChange(run: OpenRun, store: RunStore, item: DueItem, now: number): void {
  try {
    change(run, store, item, now);
  } catch {
    // Nothing was written: the row is still due.
  }
  const left = store.due(item.what);
  if (left !== null && left.at <= now) run.outbox.postpone(left, now);
}

function change(run: OpenRun, store: RunStore, item: DueItem, now: number): void {
  const { record } = run;
  const draft = record.draft(now);
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- effects are performed, not decided
  switch (item.what) {
    case "lease":
      expireLease(run, store, item, now);
      return;
    case "cancel_force":
      draft.endAttempt({ kind: "cancel_unanswered" }, 0);
      break;
    case "start_deadline": {
      const failed = decideStartDeadline(draft.state, record.spec.maxAttempts, now);
      if (failed !== null) draft.apply(failed);
      break;
    }
    case "backoff":
      draft.dispatch();
      break;
    case "readers":
      watchStuck(run, store, item, now);
      return;
  }
  record.commit(draft);
}

function expireLease(run: OpenRun, store: RunStore, item: DueItem, now: number): void {
  const { record, timings } = run;
  const { lease } = record.memory;
  if (lease === null) {
    store.deleteDue("lease");
    return;
  }
  const decision = decideExpiry(lease, now, timings.leaseGraceMs);
  if (decision.kind === "holds") {
    // Renewals are not all written: memory knows better than the row.
    store.saveDue({ ...item, at: lease.until, mark: lease.graced ? 1 : 0 });
    return;
  }
  const draft = record.draft(now);
  if (decision.kind === "graced") draft.lease = decision.lease;
  else draft.endAttempt({ kind: "lease_expired" }, Math.random());
  record.commit(draft);
}

function watchStuck(run: OpenRun, store: RunStore, item: DueItem, now: number): void {
  store.deleteDue("readers");
  if (!run.readers.closeStuck(now)) return;
  store.saveDue({ ...item, at: now + limits.readerStuckMs / 4 });
}
