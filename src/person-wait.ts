/** Waiting for something that goes on whether anybody waits or not. */

/** What it came to; null when the time was up first. Throws the reason of an abort. */
export async function firstOf<T>(
  coming: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | null> {
  signal.throwIfAborted();
  let stop = () => {};
  const over = new Promise<null>((resolve, reject) => {
    const timer = setTimeout(() => resolve(null), timeoutMs);
    const aborted = () => reject(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    };
  });
  try {
    return await Promise.race([coming, over]);
  } finally {
    stop();
  }
}
