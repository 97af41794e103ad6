/** Time that passes only when nothing else is left to do: hours of waiting in milliseconds. */
import type { Clock } from "../../src/agent/limiter.ts";

export interface VirtualTime extends Clock {
  sleep(ms: number): Promise<void>;
  /** Runs until nothing is scheduled any more. */
  drain(): Promise<void>;
}

export function virtualTime(): VirtualTime {
  const events = new Map<number, { readonly at: number; readonly act: () => void }>();
  let now = 0;
  let made = 0;
  const at = (ms: number, act: () => void) => {
    const id = made++;
    events.set(id, { at: Math.max(now, ms), act });
    return () => void events.delete(id);
  };
  return {
    now: () => now,
    at,
    sleep: (ms) => new Promise((resolve) => void at(now + ms, resolve)),
    async drain() {
      for (;;) {
        // Whoever was woken goes as far as it can first.
        await new Promise((resolve) => setImmediate(resolve));
        const next = [...events].sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
        if (next === undefined) return;
        events.delete(next[0]);
        now = next[1].at;
        next[1].act();
      }
    },
  };
}
