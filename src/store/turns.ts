/**
 * Who may use a database file in this process. The driver is synchronous, so a second transaction that waited inside
 * SQLite for the first would wait for ever: within a process they queue here instead, over all stores of one file.
 */

/** Milliseconds of database work after which timers and sockets get their turn. */
const BURST_MS = 4;

export interface Turns {
  acquire(): Promise<void>;
  release(): void;
}

export function createTurns(): Turns {
  let held = false;
  let burst: number | null = null;
  const queue: (() => void)[] = [];

  const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

  return {
    async acquire() {
      if (held) await new Promise<void>((resolve) => queue.push(resolve));
      else held = true;
      // Everything here runs in microtasks: without this, a thousand transactions in a row would hold up every timer.
      if (burst === null) {
        burst = performance.now();
        setImmediate(() => {
          burst = null;
        });
      } else if (performance.now() - burst > BURST_MS) {
        await breathe();
      }
    },
    release() {
      const next = queue.shift();
      if (next) next();
      else held = false;
    },
  };
}

const byFile = new Map<string, { turns: Turns; users: number }>();

/** The turns of one file, shared by every store of this process that has it open. */
export function turnsOf(file: string): { turns: Turns; leave: () => void } {
  const entry = byFile.get(file) ?? { turns: createTurns(), users: 0 };
  entry.users++;
  byFile.set(file, entry);
  return {
    turns: entry.turns,
    leave: () => {
      entry.users--;
      if (entry.users === 0) byFile.delete(file);
    },
  };
}
