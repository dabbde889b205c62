/**
 * Keeps what has been received and is not on disk within bounds. A runner is acked only for what is, and its window
 * holds it back well before: this is for one that does not keep to it.
 */
export class IngestGate {
  readonly #maxChars: number;
  readonly #synced: () => Promise<void>;
  #pending = 0;

  /** `synced` resolves when everything written before the call is on disk. */
  constructor(maxChars: number, synced: () => Promise<void>) {
    this.#maxChars = maxChars;
    this.#synced = synced;
  }

  /** Whether there is room for a message; then it counts until it is on disk. A message alone always has room. */
  take(chars: number): boolean {
    if (this.#pending > 0 && this.#pending + chars > this.#maxChars) return false;
    this.#pending += chars;
    return true;
  }

  /** What was taken has been written, or was refused: it stops counting when nothing of it is in memory any more. */
  written(chars: number): void {
    const release = (): void => {
      this.#pending -= chars;
    };
    this.#synced().then(release, release);
  }
}
