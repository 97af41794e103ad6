/** What `gc` speaks of: one thing that Oxbow keeps, and by what it is judged. */
import type { WholeLedger } from "./ledger.ts";
import type { Repository } from "./git/contract.ts";
import type { SalvageItem } from "./salvage.ts";
import { counted } from "./core/amounts.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;
/** How long is kept what a person may want to look at. */
export const KEEP_MS = 30 * DAY_MS;

export interface Thing {
  readonly kind: "branch" | "ref" | "remote" | "workspace" | "kept" | "rows" | "log" | "file" | "lock";
  /** The ref (here; of `remote`: on the team's remote), the path, or the task whose rows they are. */
  readonly name: string;
  readonly ticket: string | null;
  readonly safe: boolean;
  readonly reason: string;
  /** ISO 8601, UTC; null when nothing tells. */
  readonly at: string | null;
}

export interface PlanOptions {
  /** Milliseconds; null: what is merged goes at any age, and what a person may want to look at is kept for 30 days. */
  readonly olderThanMs: number | null;
  readonly ticket: string | null;
  /** Ids, refs or paths of unmerged work that may go. */
  readonly forced: ReadonlySet<string>;
  readonly now: number;
  /** Some process of Oxbow works here. */
  readonly atWork: boolean;
}

export interface Facts {
  readonly repo: Repository;
  readonly whole: WholeLedger;
  readonly unmerged: readonly SalvageItem[];
  readonly locks: readonly Thing[];
  /** `<state>/logs` and scratch files: null where several repositories share the state directory. */
  readonly ownState: boolean;
}

export function days(ms: number): string {
  return counted(Math.ceil(ms / DAY_MS), "day");
}
