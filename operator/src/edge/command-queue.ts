type Act = () => Promise<void>;

/**
 * Commands of the platform, in the order in which they came, so many at a time: all sessions of a burst at once would keep
 * the Lease's renewal waiting at the API server. One that comes again before it was obeyed is obeyed once.
 */
export class CommandQueue {
  readonly #atATime: number;
  readonly #waiting = new Map<string, Act>();
  readonly #inHand = new Set<string>();

  constructor(atATime: number) {
    this.#atATime = atATime;
  }

  /** `act` must not reject. */
  add(key: string, act: Act): void {
    if (this.#inHand.has(key) || this.#waiting.has(key)) return;
    this.#waiting.set(key, act);
    this.#next();
  }

  /** What has not begun is for whoever leads next. */
  clear(): void {
    this.#waiting.clear();
  }

  #next(): void {
    for (const [key, act] of this.#waiting) {
      if (this.#inHand.size >= this.#atATime) return;
      this.#waiting.delete(key);
      this.#inHand.add(key);
      void act().finally(() => {
        this.#inHand.delete(key);
        this.#next();
      });
    }
  }
}
