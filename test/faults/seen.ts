/** What the checker is given to look at. */
import type { Shop } from "../support/shop.ts";
import type { Held } from "./processes.ts";
import type { Part } from "./shop-work.ts";

export interface Scene {
  readonly shop: Shop;
  readonly parts: readonly Part[];
  /** Of a Postgres with `?schema=`, or `sqlite:FILE`; undefined: the embedded SQLite. */
  readonly storeUrl: string | undefined;
  /** What every process of the scene has for its temporary files. */
  readonly tmp: string;
  /** Before anything ran. */
  readonly before: { readonly fingerprint: string; readonly refs: ReadonlyMap<string, string> };
  /** Events as processes printed them, one list for each process. */
  readonly printed: readonly (readonly Record<string, any>[])[];
  /** Whether the last list is of a process that saw everything after its first event. */
  readonly lastIsWhole: boolean;
  /** Parts may end in another way than completed (more crashes than a subtask may have, a cancellation). */
  readonly mayFail?: boolean;
  /** What its processes held while they ran. */
  readonly most?: Held;
  /** Clocks were put forward and back: times of different processes say nothing. */
  readonly clockJumps?: boolean;
  /** The agent whose crash was to stop the task. */
  readonly critical?: string;
  /** The task was stopped: nothing of it is merged. */
  readonly unmerged?: boolean;
  /** False: nobody asked for what is refused. */
  readonly refusals?: boolean;
}

export function refsOf({ git }: Shop): Map<string, string> {
  const lines = git("for-each-ref", "--format=%(refname) %(objectname)").split("\n").filter(Boolean);
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}
