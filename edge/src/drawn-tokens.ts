import type { Draw } from "@millrace/durable-objects";

const maxKeys = 1_000;
/** A request that asks for a handful may be cancelled in the middle: then another asks. */
const drawMs = 1_000;

interface Held {
  tokens: number;
  readonly until: number;
}

export type Taken = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

/** Asks the org's object for a handful, or for just one. */
type AskFor = (handful: boolean) => Promise<Draw>;

/**
 * What an isolate was given to spend, by key: requests, or places for runs. The org's object, which counts for all
 * isolates, is asked when there is none left. What is not spent goes stale, so that a silent isolate keeps nothing from
 * the others for long.
 */
export class DrawnTokens {
  readonly #heldMs: number;
  readonly #held = new Map<string, Held>();
  readonly #drawingSince = new Map<string, number>();
  readonly #refusedUntil = new Map<string, number>();

  /** `heldMs`: how long a handful may be spent from. */
  constructor(heldMs: number) {
    this.#heldMs = heldMs;
  }

  async take(key: string, now: number, ask: AskFor): Promise<Taken> {
    if (this.#spend(key, now)) return { ok: true };
    const refusedMs = (this.#refusedUntil.get(key) ?? 0) - now;
    if (refusedMs > 0) return { ok: false, retryAfterMs: refusedMs };
    // A request must not wait for what another one asked: that one may be cancelled, and its answer never come.
    const handful = now - (this.#drawingSince.get(key) ?? Number.NEGATIVE_INFINITY) >= drawMs;
    if (handful) this.#drawingSince.set(key, now);
    const { granted, retryAfterMs } = await ask(handful);
    if (handful) this.#keep(key, now, { granted, retryAfterMs });
    if (granted > 0 && !handful) return { ok: true };
    if (this.#spend(key, now)) return { ok: true };
    return { ok: false, retryAfterMs: Math.max(1, retryAfterMs) };
  }

  #spend(key: string, now: number): boolean {
    const held = this.#held.get(key);
    if (held === undefined || held.tokens === 0 || held.until < now) return false;
    held.tokens -= 1;
    return true;
  }

  #keep(key: string, now: number, { granted, retryAfterMs }: Draw): void {
    this.#drawingSince.delete(key);
    for (const map of [this.#held, this.#refusedUntil]) if (map.size >= maxKeys) map.clear();
    this.#held.set(key, { tokens: granted, until: now + this.#heldMs });
    if (granted === 0) this.#refusedUntil.set(key, now + retryAfterMs);
  }
}
