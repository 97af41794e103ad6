/**
 * Works on each item, `most` at once and never more; the next begins as soon as a place is free. When `signal` aborts no
 * further item begins, and what has begun ends as it ends. Results are in the order of the items; undefined: not begun.
 * Rejects with the first failure, when all that had begun has ended.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T, index: number) => Promise<R>,
  signal: AbortSignal,
): Promise<(R | undefined)[]> {
  const results = items.map((): R | undefined => undefined);
  const failures: unknown[] = [];
  let next = 0;
  const place = async (): Promise<void> => {
    while (next < items.length && !signal.aborted && failures.length === 0) {
      const index = next++;
      const item = items[index];
      if (item === undefined) continue;
      try {
        results[index] = await work(item, index);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(most, items.length)) }, place));
  if (failures.length > 0) throw failures[0];
  return results;
}
