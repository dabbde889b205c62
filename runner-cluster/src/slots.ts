/** Which runs this process executes now; one attempt of a run at a time. */
export class Slots {
  readonly total: number;
  readonly #attempts = new Map<string, number>();

  constructor(total: number) {
    this.total = total;
  }

  get free(): number {
    return this.total - this.#attempts.size;
  }

  get isIdle(): boolean {
    return this.#attempts.size === 0;
  }

  attemptOf(runId: string): number | undefined {
    return this.#attempts.get(runId);
  }

  take(runId: string, attempt: number): void {
    this.#attempts.set(runId, attempt);
  }

  give(runId: string): void {
    this.#attempts.delete(runId);
  }
}
