/** The object's one alarm. It only ever moves forward here; firing re-reads what is due and sets it anew. */
export class Alarm {
  readonly #storage: DurableObjectStorage;
  #at: number | null;

  constructor(storage: DurableObjectStorage, at: number | null) {
    this.#storage = storage;
    this.#at = at;
  }

  /** Sees to it that the alarm fires at `at` or before. Call it in the turn that wrote the row. */
  by(at: number): void {
    if (this.#at === null || at < this.#at) this.set(at);
  }

  set(at: number | null): void {
    this.#at = at;
    void (at === null ? this.#storage.deleteAlarm() : this.#storage.setAlarm(at));
  }
}
