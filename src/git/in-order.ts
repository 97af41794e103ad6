/** A git process that is kept open and answers its requests in the order they were made. */
import type { LongProcess } from "../host/process.ts";

export interface InOrder<T> {
  /** Writes a request; null when the process ended instead of answering it. The next request starts a fresh one. */
  ask(line: string): Promise<T | null>;
  /** Requests made and not yet answered. */
  waiting(): number;
  /** Ends the process, whatever it is doing; what waits is answered with null. */
  kill(): void;
  stderrTail(): string;
  close(): Promise<void>;
}

/** `createParser` is called for each process: its answers, as far as a chunk of output completes them. */
export function createInOrder<T>(
  start: () => LongProcess,
  createParser: () => (chunk: Buffer) => readonly T[],
): InOrder<T> {
  let process: LongProcess | null = null;
  let waiting: ((answer: T | null) => void)[] = [];
  const fresh = (): LongProcess => {
    const started = start();
    const parse = createParser();
    started.stdout.on("data", (chunk: Buffer) => {
      for (const answer of parse(chunk)) waiting.shift()?.(answer);
    });
    void started.exited.then(() => {
      if (process !== started) return;
      process = null;
      const lost = waiting;
      waiting = [];
      for (const one of lost) one(null);
    });
    return started;
  };
  let tail = () => "";
  return {
    ask(line) {
      const current = (process ??= fresh());
      tail = current.stderrTail;
      return new Promise<T | null>((resolve) => {
        waiting.push(resolve);
        current.stdin.write(line);
      });
    },
    waiting: () => waiting.length,
    kill: () => process?.kill(),
    stderrTail: () => tail(),
    async close() {
      const old = process;
      if (waiting.length === 0) process = null;
      await old?.close();
    },
  };
}
