/** A budget as it is written down: what is asked for on the wire and in rows, and the rule put together from rows. */
import { type Budget, type BudgetLeft, type BudgetLimit, createBudget, type SavedAccount } from "./budget.ts";
import { OxbowError } from "./errors.ts";

/** In the words of team.yaml. What is not given is not limited. */
export interface BudgetAsk {
  /** US dollars. */
  readonly usd?: number;
  readonly tokens?: number;
  /** From the start, milliseconds. */
  readonly wall_ms?: number;
}

/** The parts of an ask that JSON of ours holds; null: none of them. */
export function readAsk(value: unknown): BudgetAsk | null {
  if (typeof value !== "object" || value === null) return null;
  const of = (key: keyof BudgetAsk) => {
    const found: unknown = Reflect.get(value, key);
    return typeof found === "number" ? { [key]: found } : {};
  };
  const ask: BudgetAsk = { ...of("usd"), ...of("tokens"), ...of("wall_ms") };
  return Object.keys(ask).length === 0 ? null : ask;
}

/** Throws usage for an amount that is none. */
export function checkAsk(ask: BudgetAsk): void {
  const wrong = Object.entries(ask).find(([, value]) => !(Number.isFinite(value) && Number(value) > 0));
  if (wrong === undefined) return;
  throw new OxbowError("usage", `A budget's ${wrong[0]} must be a number above 0, not ${String(wrong[1])}.`);
}

export function limitOf({ usd, tokens, wall_ms }: BudgetAsk): BudgetLimit {
  return { usd, tokens, wallMs: wall_ms };
}

/** One child of a task, and its account where it has been launched. */
export interface BudgetRow {
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly parent_conversation_id: string | null;
  /** It has no outcome yet. */
  readonly open: boolean;
  readonly account: {
    readonly ask: BudgetAsk;
    /** Unix milliseconds. */
    readonly started_at: number;
    /** By its own calls, without those of its children. */
    readonly spent: { readonly tokens: number; readonly usd: number };
    readonly unpriced: boolean;
  } | null;
}

/** One moment of a task's budget. */
export interface SavedBudget {
  /** Unix milliseconds, by the clock that the rows have. */
  readonly now: number;
  /** The limit of the whole; null: only children have some. */
  readonly ask: BudgetAsk | null;
  /** When its first child started; null: none has. */
  readonly started_at: number | null;
  readonly rows: readonly BudgetRow[];
}

export interface RestoredBudget {
  readonly budget: Budget;
  /** Whom a child asks: the nearest above it that has an account; null: the whole. */
  parentOf(subtaskId: string): string | null;
}

export function restoreBudget({ now, ask, started_at, rows }: SavedBudget): RestoredBudget {
  const byConversation = new Map(rows.map((row) => [row.conversation_id, row]));
  const byId = new Map(rows.map((row) => [row.subtask_id, row]));
  const above = ({ parent_conversation_id }: BudgetRow) => byConversation.get(parent_conversation_id ?? "");
  const parentOf = (row: BudgetRow): BudgetRow | null => {
    let at = above(row);
    while (at && at.account === null) at = above(at);
    return at ?? null;
  };
  const live = new Set<string>();
  for (const row of rows)
    for (let at = row.open ? row : undefined; at && !live.has(at.subtask_id); at = above(at))
      live.add(at.subtask_id);

  const saved = new Map<string, SavedAccount>();
  const save = (row: BudgetRow): void => {
    if (row.account === null || saved.has(row.subtask_id)) return;
    const parent = parentOf(row);
    if (parent) save(parent);
    const { ask: own, started_at: startMs, spent, unpriced } = row.account;
    const id = row.subtask_id;
    const limit = limitOf(own);
    saved.set(id, {
      id,
      parent: parent?.subtask_id ?? null,
      limit,
      startMs,
      spent,
      unpriced,
      live: live.has(id),
    });
  };
  for (const row of rows) save(row);
  return {
    budget: createBudget(limitOf(ask ?? {}), started_at ?? now, [...saved.values()]),
    parentOf: (id) => {
      const row = byId.get(id);
      return row ? (parentOf(row)?.subtask_id ?? null) : null;
    },
  };
}

/** A task's budget, as a report tells of it. */
export interface BudgetSummary {
  /** Of the whole task. */
  readonly limit: BudgetAsk;
  /** With all its children; `usd` is what is known. */
  readonly spent: { readonly tokens: number; readonly usd: number };
  /** A model was used whose price is not known. */
  readonly unpriced: boolean;
  readonly left: BudgetLeft;
  /** Subtasks that did not start, or were stopped, because too little was left. */
  readonly refused: readonly string[];
}

/** The same, of a task that was named by its id or ticket. */
export interface TaskBudget extends BudgetSummary {
  readonly task_id: string;
  readonly ticket: string;
}

export function summaryOf(saved: SavedBudget, refused: readonly string[]): BudgetSummary {
  const { spent, left } = restoreBudget(saved).budget.state(null, saved.now);
  const unpriced = saved.rows.some(({ account }) => account?.unpriced === true);
  return { limit: saved.ask ?? {}, spent, unpriced, left, refused };
}

/** `$1.20 of $5, 120,000 of 2,000,000 tokens, of 60 s`: what has no limit is not named. */
export function budgetWords({ limit, spent, unpriced, refused }: BudgetSummary): string {
  const about = [
    ...(limit.usd === undefined
      ? []
      : [`$${spent.usd.toFixed(4)} of $${limit.usd}${unpriced ? " (a price is not known)" : ""}`]),
    ...(limit.tokens === undefined
      ? []
      : [`${spent.tokens.toLocaleString("en")} of ${limit.tokens.toLocaleString("en")} tokens`]),
    ...(limit.wall_ms === undefined ? [] : [`${limit.wall_ms.toLocaleString("en")} ms from its first start`]),
  ];
  const stopped = refused.length === 0 ? "" : `; too little was left for ${refused.join(", ")}`;
  return `${about.length === 0 ? "of single children" : about.join(", ")}${stopped}`;
}

/** The limits alone. */
export function askWords({ usd, tokens, wall_ms }: BudgetAsk): string {
  return [
    ...(usd === undefined ? [] : [`$${usd}`]),
    ...(tokens === undefined ? [] : [`${tokens.toLocaleString("en")} tokens`]),
    ...(wall_ms === undefined ? [] : [`${wall_ms.toLocaleString("en")} ms`]),
  ].join(", ");
}
