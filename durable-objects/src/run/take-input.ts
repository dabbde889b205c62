import type { RunView } from "@millrace/contracts";
import { decideInput, type InputRefusal } from "./decide-input.ts";
import type { OpenRun } from "./open-run.ts";
import type { Refusal } from "./run-rpc.ts";
import type { RunStore } from "./store.ts";

/** What a user says to a run, once: the same key again changes nothing. */
export interface InputAsk {
  /** Null: the run is to come to its end. */
  readonly content: string | null;
  readonly by: string;
  readonly idempotencyKey: string;
  readonly fingerprint: string;
}

export type InputAnswer =
  | { readonly ok: true; readonly n: number; readonly created: boolean; readonly view: RunView }
  | Refusal<"idempotency_mismatch" | InputRefusal>;

/** The input, its event and what follows from it are one transaction. */
export function takeInput(run: OpenRun, store: RunStore, ask: InputAsk): InputAnswer {
  const { record } = run;
  const known = store.inputByKey(ask.idempotencyKey);
  if (known !== null) {
    if (known.fingerprint !== ask.fingerprint) return { ok: false, code: "idempotency_mismatch" };
    return { ok: true, n: known.n, created: false, view: record.view() };
  }
  // What the runner sent before this moment counts: its question may be among it.
  run.runners.flush();
  const draft = record.draft(Date.now());
  const { content, by, idempotencyKey: key, fingerprint } = ask;
  const { keepOpen } = record.spec;
  const decision = decideInput(draft.state, { content, by, keepOpen, now: draft.now });
  if (!decision.ok) return decision;
  const { n, change } = decision;
  draft.apply(change);
  draft.input = { n, key, fingerprint, content };
  draft.dispatch();
  record.commit(draft);
  return { ok: true, n, created: true, view: record.view() };
}
