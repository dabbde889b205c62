import type { WarmPod } from "./decide-warm-pool.ts";

/** How far a watch may lag behind what this process wrote itself. */
const lagMs = 30_000;

/** Pods that were just made, or given their token: a cache that does not know of it yet must not have it done again. */
export class RecentPods {
  readonly #made = new Map<string, number>();
  readonly #tokens = new Map<string, number>();

  /** Said before it is done: the watch may be quicker than the answer. */
  making(name: string, now: number): void {
    this.#made.set(name, now);
    this.#tokens.set(name, now);
  }

  gaveToken(name: string, now: number): void {
    this.#tokens.set(name, now);
  }

  forget(name: string): void {
    this.#made.delete(name);
    this.#tokens.delete(name);
  }

  saw(name: string): void {
    this.#made.delete(name);
  }

  hasToken(name: string, now: number): boolean {
    return now < (this.#tokens.get(name) ?? -Infinity) + lagMs;
  }

  /** Pods that are not in the cache yet. */
  unseen(template: string, now: number): readonly WarmPod[] {
    for (const known of [this.#made, this.#tokens]) dropBefore(known, now - lagMs);
    return [...this.#made].map(([name, createdAt]) => ({
      name,
      template,
      createdAt,
      state: { kind: "idle", isReady: false },
      hasToken: true,
    }));
  }

  /** When the next of them counts no more; Infinity: there is none. */
  until(): number {
    return Math.min(...this.#made.values()) + lagMs;
  }
}

function dropBefore(known: Map<string, number>, before: number): void {
  for (const [name, at] of known) if (at <= before) known.delete(name);
}
