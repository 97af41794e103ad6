/** What the engine does with an agent's edits at the end of its run: commits them, or keeps them off the branch. */
import type { BranchTree } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { EventSink } from "./engine.ts";
import { aboutLease } from "./about.ts";

/** The branch's tip, or null while nothing was committed to it. */
export function committedTip(tree: BranchTree): string | null {
  return tree.tip === tree.base ? null : tree.tip;
}

interface Running {
  readonly sink: EventSink;
  readonly lease: Lease;
}

const COMMIT_MS = 60_000;

/** Commits what is left in the agent's name, also when its run was stopped. Null when there was nothing. */
export async function commitFor({ sink, lease }: Running, tree: BranchTree, message: string) {
  const made = await tree.commit(message, AbortSignal.timeout(COMMIT_MS));
  if (made) sink.emit({ event: "commit", ...aboutLease(lease), ...made, message });
  return made;
}

/** Keeps the edits as a commit on the attempt's ref, and says so. Null when there was nothing new. */
export async function keepEdits({ sink, lease }: Running, tree: BranchTree): Promise<string | null> {
  const saved = await tree.saveWork();
  if (!saved) return null;
  sink.emit({ event: "work_saved", ...aboutLease(lease), commit: saved.commit, files: saved.files });
  return saved.commit;
}

/** A text's first line, short enough for the subject of a commit. */
export function firstLine(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 72 ? `${line.slice(0, 71)}…` : line;
}
