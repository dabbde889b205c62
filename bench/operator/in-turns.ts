/** Works through all of them with so many at a time. */
export async function inTurns<T>(
  all: readonly T[],
  atATime: number,
  work: (one: T) => Promise<unknown>,
): Promise<void> {
  const left = all.values();
  const worker = async (): Promise<void> => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}
