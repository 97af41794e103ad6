/**
 * One queue per branch. A model may call several file tools at once; they run one after the other, in the order of the
 * calls, so that two edits of one file do not lose each other and a commit holds the edits that were asked for before it.
 */
import type { BranchFiles } from "../src/core/tool.ts";

const tails = new WeakMap<BranchFiles, Promise<void>>();

export function inOrder<T>(files: BranchFiles, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = tails.get(files) ?? Promise.resolve();
  const result = before.then(() => {
    signal.throwIfAborted();
    return work();
  });
  const ended = (): void => undefined;
  tails.set(files, result.then(ended, ended));
  return result;
}
