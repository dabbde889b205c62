/** Requests that a key may still make: it fills up with time. */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export interface DrawTerms {
  readonly ratePerSecond: number;
  readonly burst: number;
  /** The most that one isolate is given at a time. */
  readonly most: number;
  readonly now: number;
}

export interface Draw {
  readonly granted: number;
  /** When nothing was granted: milliseconds until something can be. */
  readonly retryAfterMs: number;
}

/** Gives out requests by the handful. Over any time t no more than `burst + rate * t` are given, whoever asks. */
export function decideDraw(
  bucket: Bucket,
  { ratePerSecond, burst, most, now }: DrawTerms,
): { readonly bucket: Bucket; readonly draw: Draw } {
  const passedMs = Math.max(0, now - bucket.at);
  const tokens = Math.min(burst, bucket.tokens + (passedMs * ratePerSecond) / 1000);
  const granted = Math.min(most, Math.floor(tokens));
  const missing = granted === 0 ? 1 - tokens : 0;
  const retryAfterMs = Math.ceil((missing * 1000) / ratePerSecond);
  return {
    bucket: { tokens: tokens - granted, at: Math.max(now, bucket.at) },
    draw: { granted, retryAfterMs },
  };
}
