import { logPrefix, type LogManifest } from "../archive/log-manifest.ts";
import { storeLog, sweepLog } from "../archive/store-log.ts";
import type { Alarm } from "../log/alarm.ts";
import type { PlatformEnv } from "../platform-env.ts";
import type { RunRecord } from "./run-record.ts";
import { saveRunLog } from "./run-registry.ts";
import type { RunStore } from "./store.ts";

interface Parts {
  readonly env: PlatformEnv;
  readonly record: RunRecord;
  readonly store: RunStore;
  readonly alarm: Alarm;
  /** Called when the log has left the object. */
  readonly onMoved: () => void;
}

/**
 * Where the log of a run lies that has been over for a while: in R2. The object's own manifest is the truth; the registry's
 * lets the edge read the log without waking the object.
 *
 *     "archive" is due --> objects are written and read back --> one transaction: rows go, manifest stays, "archived" is due
 *     "archived" is due --> what else lies under the prefix goes; the registry is told
 */
export class LogArchive {
  readonly #parts: Parts;
  #manifest: LogManifest | null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const isOver = parts.record.state.stage.kind === "over";
    this.#manifest = isOver ? parts.store.loadLogManifest() : null;
  }

  /** Null: the object holds the log itself. */
  get manifest(): LogManifest | null {
    return this.#manifest;
  }

  async move(): Promise<void> {
    const { env, record, store, alarm } = this.#parts;
    if (this.#manifest !== null || record.state.stage.kind !== "over") return;
    const target = { bucket: env.ARCHIVES, prefix: logPrefix(record.spec) };
    const manifest = await storeLog(target, store, record.tail);
    const now = Date.now();
    store.transaction(() => {
      store.save("log_manifest", manifest);
      store.deleteLog();
      store.saveDue({ what: "archived", at: now, tries: 0, mark: 0 });
    });
    this.#manifest = manifest;
    alarm.by(now);
    this.#parts.onMoved();
  }

  async tell(): Promise<void> {
    const { env, record } = this.#parts;
    if (this.#manifest === null) return;
    await sweepLog({ bucket: env.ARCHIVES, prefix: logPrefix(record.spec) }, this.#manifest);
    await saveRunLog(env.DB, record.spec, this.#manifest);
  }
}
