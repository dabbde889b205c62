const atOnce = 10;

/** Does it for each, several at a time. Rejects with the first failure, when all that was begun has ended. */
export async function eachOf<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const work = async (): Promise<void> => {
    for (const item of left) await act(item);
  };
  const done = await Promise.allSettled(Array.from({ length: atOnce }, work));
  for (const one of done) if (one.status === "rejected") throw one.reason;
}
