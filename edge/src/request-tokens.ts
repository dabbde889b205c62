import type { Draw } from "@millrace/durable-objects";

/** What is not used goes stale, so that a silent isolate keeps nothing from the others for long. */
const staleMs = 10_000;
const maxKeys = 1_000;
/** A request that asks for a handful may be cancelled in the middle: then another asks. */
const drawMs = 1_000;

interface Held {
  tokens: number;
  readonly until: number;
}

export type Taken = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

/** Asks the org's object for a handful of requests, or for just one. */
type AskFor = (handful: boolean) => Promise<Draw>;

/**
 * The requests that keys may still make, as one isolate was given them. Every request takes one; the org's object, which
 * counts for all isolates, is asked when there is none left.
 */
export class RequestTokens {
  readonly #held = new Map<string, Held>();
  readonly #drawingSince = new Map<string, number>();
  readonly #refusedUntil = new Map<string, number>();

  async take(keyId: string, now: number, ask: AskFor): Promise<Taken> {
    if (this.#spend(keyId, now)) return { ok: true };
    const refusedMs = (this.#refusedUntil.get(keyId) ?? 0) - now;
    if (refusedMs > 0) return { ok: false, retryAfterMs: refusedMs };
    // A request must not wait for what another one asked: that one may be cancelled, and its answer never come.
    const handful = now - (this.#drawingSince.get(keyId) ?? Number.NEGATIVE_INFINITY) >= drawMs;
    if (handful) this.#drawingSince.set(keyId, now);
    const { granted, retryAfterMs } = await ask(handful);
    if (handful) this.#keep(keyId, now, { granted, retryAfterMs });
    if (granted > 0 && !handful) return { ok: true };
    if (this.#spend(keyId, now)) return { ok: true };
    return { ok: false, retryAfterMs: Math.max(1, retryAfterMs) };
  }

  #spend(keyId: string, now: number): boolean {
    const held = this.#held.get(keyId);
    if (held === undefined || held.tokens === 0 || held.until < now) return false;
    held.tokens -= 1;
    return true;
  }

  #keep(keyId: string, now: number, { granted, retryAfterMs }: Draw): void {
    this.#drawingSince.delete(keyId);
    for (const map of [this.#held, this.#refusedUntil]) if (map.size >= maxKeys) map.clear();
    this.#held.set(keyId, { tokens: granted, until: now + staleMs });
    if (granted === 0) this.#refusedUntil.set(keyId, now + retryAfterMs);
  }
}
