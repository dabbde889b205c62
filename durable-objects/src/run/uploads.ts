import type { UploadComplete, UploadKind } from "@millrace/contracts";
import { abortDue, fencedUploadMs } from "./decide-due.ts";
import { decideUpload, recordUpload, uploadKey } from "./decide-upload.ts";
import type { Draft } from "./draft.ts";
import { owe, type RunRecord } from "./run-record.ts";
import type { UploadGrant } from "./run-rpc.ts";
import { versionOf } from "./state.ts";

type StoreAnswer = { readonly ok: true } | Exclude<UploadGrant, { readonly ok: true }>;

/** A runner that has said nothing about an upload for this long will not complete it. */
const abandonedMs = 60 * 60_000;

/** Archives on their way to R2: who may store one, what is recorded of it, and that no part of one is left behind. */
export class Uploads {
  readonly #record: RunRecord;

  constructor(record: RunRecord) {
    this.#record = record;
  }

  grant(attempt: number, kind: UploadKind): UploadGrant {
    const record = this.#record;
    const decision = decideUpload(record.state, attempt, Date.now());
    if (decision !== "allowed") return { ok: false, code: decision };
    return { ok: true, key: uploadKey(record.spec, attempt, kind) };
  }

  opened(attempt: number, key: string, id: string): void {
    const draft = this.#draft();
    const isAllowed = decideUpload(draft.state, attempt, draft.now) === "allowed";
    draft.uploads.set(id, { id, key, attempt });
    const item = abortDue(id, draft.now + (isAllowed ? abandonedMs : fencedUploadMs));
    draft.due.set(item.what, item);
    this.#record.commit(draft);
  }

  stored(attempt: number, id: string, stored: UploadComplete): StoreAnswer {
    const record = this.#record;
    const draft = this.#draft();
    const decision = decideUpload(draft.state, attempt, draft.now);
    if (decision !== "allowed") return { ok: false, code: decision };
    if (stored.key !== uploadKey(record.spec, attempt, stored.kind)) {
      return { ok: false, code: "not_found" };
    }
    const { state } = draft;
    draft.state = recordUpload(state, record.spec, stored, draft.now);
    if (draft.state !== state) {
      owe(draft, ["artifacts"], versionOf(draft.state, record.tail));
    }
    forget(draft, id);
    record.commit(draft);
    return { ok: true };
  }

  aborted(id: string): void {
    const draft = this.#draft();
    forget(draft, id);
    this.#record.commit(draft);
  }

  #draft(): Draft {
    return this.#record.draft(Date.now());
  }
}

function forget(draft: Draft, id: string): void {
  draft.uploads.set(id, null);
  draft.due.set(`abort:${id}`, null);
}
