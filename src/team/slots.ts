/**
 * How many conversations work at once. A conversation that waits for others gives its place away meanwhile, so that
 * a lead which waits for its children never starves them, even with one place.
 */
export interface Slots {
  /** Rejects when `signal` aborts first. */
  acquire(signal: AbortSignal): Promise<void>;
  release(): void;
  /** Runs `wait` without holding a place. The caller must hold one. */
  parked<T>(wait: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createSlots(size: number): Slots {
  let free = size;
  const queue: (() => void)[] = [];

  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  };

  const acquire = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (free > 0) {
        free -= 1;
        return resolve();
      }
      const granted = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const aborted = () => {
        const at = queue.indexOf(granted);
        if (at !== -1) queue.splice(at, 1);
        reject(signal.reason);
      };
      queue.push(granted);
      signal.addEventListener("abort", aborted, { once: true });
    });

  return {
    acquire,
    release,
    async parked(wait, signal) {
      release();
      try {
        return await wait();
      } finally {
        await reacquire(signal);
      }
    },
  };

  /** Also after an abort the caller must hold a place again, since it will release it. */
  async function reacquire(signal: AbortSignal) {
    if (signal.aborted) {
      free -= 1;
      return;
    }
    try {
      await acquire(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      free -= 1;
    }
  }
}
