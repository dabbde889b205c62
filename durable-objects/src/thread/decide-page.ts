/** What one answer may weigh: RPC carries at most 32 MiB, and an object has 128 MB for everything. */
const pageMaxChars = 8_000_000;

/** How many of the items, from the first on, one answer carries: always one, so that a reader gets on. */
export function decidePage(sizes: readonly number[], maxChars: number = pageMaxChars): number {
  let total = 0;
  const tooMany = sizes.findIndex((size) => (total += size) > maxChars);
  return tooMany === -1 ? sizes.length : Math.max(tooMany, 1);
}
