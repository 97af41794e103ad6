/** Wakes everyone who waits for "something may have changed". Take `next` before looking, so that no ring is missed. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring. */
  next(): Promise<void>;
}

export function createBell(): Bell {
  let waiters: (() => void)[] = [];
  return {
    ring() {
      const woken = waiters;
      waiters = [];
      for (const wake of woken) wake();
    },
    next: () => new Promise<void>((resolve) => void waiters.push(resolve)),
  };
}
