export interface BackoffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * The wait before try `failures + 1`: doubles from `firstMs` up to `longestMs`, then loses up to half
 * of itself by chance, so that what failed together does not come back together.
 */
export function backoffMs(
  options: BackoffOptions,
  failures: number,
  random: () => number = Math.random,
): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 40);
  const full = Math.min(options.firstMs * 2 ** exponent, options.longestMs);
  return full * (1 - random() / 2);
}
