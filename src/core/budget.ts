/**
 * A task's budget over the whole tree of its children. What a child may use is reserved before it starts, from what its
 * parent still has; what it used counts at every level as soon as it is known. Pure: the caller says what time it is.
 *
 * The rule: a call of a model starts only while its child, and everybody above it, has something left. What a call costs is
 * known when it has ended, so a limit is passed by at most the one call that each child has under way at that moment.
 */
import { OxbowError } from "./errors.ts";

/** What is not given is not limited. */
export interface BudgetLimit {
  readonly tokens?: number | undefined;
  /** US dollars, to a billionth. */
  readonly usd?: number | undefined;
  /** From the launch, milliseconds. Children at work at once share it, as they share time. */
  readonly wallMs?: number | undefined;
}

/** Null: no limit. Never negative. */
export interface BudgetLeft {
  readonly tokens: number | null;
  readonly usd: number | null;
  readonly wall_ms: number | null;
}

export type BudgetUnit = keyof BudgetLeft;

export interface BudgetRefusal {
  readonly ok: false;
  readonly code: "budget_exceeded";
  /** What there is too little of. */
  readonly exceeded: readonly BudgetUnit[];
  /** What the parent (of a launch) or the child itself (of a call) could still use. */
  readonly left: BudgetLeft;
  /** For a person, and for the parent's model. */
  readonly message: string;
}

export type BudgetVerdict = { readonly ok: true; readonly left: BudgetLeft } | BudgetRefusal;

export interface BudgetUse {
  readonly tokens: number;
  /** Null: the price is not known. A limit in dollars cannot be kept then, and nothing further starts under it. */
  readonly usd: number | null;
}

/** Calls of models are counted by it, wherever they are made. */
export interface BudgetMeter {
  /** Throws budget_exceeded when nothing is left for a further call. */
  mayCall(): Promise<void>;
  /** Resolves when it is durable. */
  spend(use: BudgetUse): Promise<void>;
}

/** A child that was launched before, with what is known of it. */
export interface SavedAccount {
  readonly id: string;
  readonly parent: string | null;
  readonly limit: BudgetLimit;
  readonly startMs: number;
  /** By its own calls, without those below it; `usd` is what is known. */
  readonly spent: { readonly tokens: number; readonly usd: number };
  /** The price of one of its calls is not known. */
  readonly unpriced: boolean;
  /** It has not ended, or something below it has not. */
  readonly live: boolean;
}

export interface BudgetState {
  /** With all below it. `usd` is what is known. */
  readonly spent: { readonly tokens: number; readonly usd: number };
  /** For children that are at work, and not used by them yet. */
  readonly reserved: { readonly tokens: number; readonly usd: number };
  readonly left: BudgetLeft;
}

export interface Budget {
  /**
   * Reserves what a child may use, all or nothing. What `ask` does not name it shares with the others, and some of it must be
   * left. A child that is at work already keeps what it has. Throws usage for an unknown parent or an amount that is none.
   */
  launch(child: { id: string; parent: string | null }, ask: BudgetLimit, nowMs: number): BudgetVerdict;
  /** Whether a child may call a model (again). Throws usage for a child that was never launched. */
  mayCall(id: string, nowMs: number): BudgetVerdict;
  /** What a call has used, also when its child has been settled meanwhile. */
  spend(id: string, use: BudgetUse): void;
  /** The child has ended, and all below it with it: what they did not use is free again. Again: nothing happens. */
  settle(id: string): void;
  /** Of a child, or of the whole (`null`). */
  state(id: string | null, nowMs: number): BudgetState;
}

/** Amounts that add up. Dollars are counted in billionths: 0.1 + 0.2 is 0.3 then. */
const SUMS = ["tokens", "usd"] as const;
type Sum = (typeof SUMS)[number];
const PER_DOLLAR = 1e9;

interface Account {
  readonly id: string | null;
  readonly parent: Account | null;
  readonly children: Account[];
  /** Of `spent`, the most there may be; infinite: no limit of its own. */
  limit: Record<Sum, number>;
  spent: Record<Sum, number>;
  deadlineMs: number;
  live: boolean;
  priceless: boolean;
}

/**
 * The budget of a task that begins at `startMs`; `saved`: the children launched so far, each after its parent. Throws usage
 * for a limit that is none.
 */
export function createBudget(limit: BudgetLimit, startMs = 0, saved: readonly SavedAccount[] = []): Budget {
  const root = openAccount(null, null, amountsOf(limit), startMs + (limit.wallMs ?? Infinity));
  const accounts = new Map<string | null, Account>([[null, root]]);

  const find = (id: string | null): Account => {
    const found = accounts.get(id);
    if (found) return found;
    throw new OxbowError("usage", `The budget knows no child ${JSON.stringify(id)}.`);
  };

  const launch: Budget["launch"] = ({ id, parent: parentId }, ask, nowMs) => {
    const parent = find(parentId);
    const amounts = amountsOf(ask);
    const known = accounts.get(id);
    if (known && known.parent !== parent)
      throw new OxbowError("usage", `The child ${JSON.stringify(id)} has another parent in the budget.`);
    if (known?.live === true) return { ok: true, left: leftOf(known, nowMs) };
    const missing: BudgetUnit[] = SUMS.filter((sum) => lacks(parent, sum, amounts[sum]));
    const deadlineMs = nowMs + (ask.wallMs ?? 0);
    const ends = earliest(parent);
    if (ends <= nowMs || deadlineMs > ends) missing.push("wall_ms");
    if (!parent.live || missing.length > 0) return refusal(`${id} does not start`, missing, parent, nowMs);
    const account = known ?? openAccount(id, parent, amounts, 0);
    if (!known) {
      parent.children.push(account);
      accounts.set(id, account);
    }
    account.live = true;
    for (const sum of SUMS) account.limit[sum] = account.spent[sum] + amounts[sum];
    account.deadlineMs = ask.wallMs === undefined ? Infinity : deadlineMs;
    return { ok: true, left: leftOf(account, nowMs) };
  };

  const spend: Budget["spend"] = (id, { tokens, usd }) => {
    const used = { tokens: amount("tokens", tokens), usd: usd === null ? 0 : amount("usd", usd) };
    for (const account of upwards(find(id))) {
      for (const sum of SUMS) account.spent[sum] += used[sum];
      account.priceless ||= usd === null;
    }
  };

  for (const { id, parent: parentId, limit: own, startMs: begun, spent, unpriced, live } of saved) {
    const parent = find(parentId);
    const account = openAccount(id, parent, amountsOf(own), begun + (own.wallMs ?? Infinity));
    account.live = live;
    parent.children.push(account);
    accounts.set(id, account);
    spend(id, spent);
    if (unpriced) spend(id, { tokens: 0, usd: null });
  }

  return {
    launch,
    mayCall(id, nowMs) {
      const account = find(id);
      const missing: BudgetUnit[] = SUMS.filter((sum) => free(account, sum) <= 0);
      if (earliest(account) <= nowMs) missing.push("wall_ms");
      if (account.live && missing.length === 0) return { ok: true, left: leftOf(account, nowMs) };
      return refusal(`${id} stops`, missing, account, nowMs);
    },
    spend,
    settle: (id) => settle(find(id)),
    state(id, nowMs) {
      const account = find(id);
      const shown = (sums: (sum: Sum) => number) => ({
        tokens: sums("tokens"),
        usd: sums("usd") / PER_DOLLAR,
      });
      return {
        spent: shown((sum) => account.spent[sum]),
        reserved: shown((sum) => reserved(account, sum)),
        left: leftOf(account, nowMs),
      };
    },
  };
}

function openAccount(
  id: string | null,
  parent: Account | null,
  limit: Record<Sum, number>,
  deadlineMs: number,
): Account {
  const spent = { tokens: 0, usd: 0 };
  return { id, parent, children: [], limit: { ...limit }, spent, deadlineMs, live: true, priceless: false };
}

/** The account and all above it. */
function upwards(account: Account): readonly Account[] {
  const chain: Account[] = [];
  for (let at: Account | null = account; at !== null; at = at.parent) chain.push(at);
  return chain;
}

/** What the children at work may still use of what was put aside for them. Never negative. */
function reserved(account: Account, sum: Sum): number {
  return account.children.reduce((total, child) => total + share(child, sum), 0);
}

/** A child without a limit of its own has put aside what its children have. */
function share(child: Account, sum: Sum): number {
  if (!child.live) return 0;
  const own = child.limit[sum] - child.spent[sum];
  return Number.isFinite(own) ? Math.max(0, own) : reserved(child, sum);
}

/** What nobody has spent or put aside; of all levels the least. 0 where a limit cannot be kept any more. */
function free(account: Account, sum: Sum): number {
  let least = Infinity;
  let below: Account | null = null;
  for (const each of upwards(account)) {
    if (Number.isFinite(each.limit[sum])) {
      if (sum === "usd" && each.priceless) return 0;
      // What is put aside for the branch that asks is what it asks from.
      const others = reserved(each, sum) - (below === null ? 0 : share(below, sum));
      least = Math.min(least, each.limit[sum] - each.spent[sum] - others);
    }
    below = each;
  }
  return Math.max(0, least);
}

/** Too little for what is asked; what is not named is shared, and some of it must be left. */
function lacks(parent: Account, sum: Sum, asked: number): boolean {
  const there = free(parent, sum);
  return there <= 0 || (Number.isFinite(asked) && asked > there);
}

function earliest(account: Account): number {
  return Math.min(...upwards(account).map(({ deadlineMs }) => deadlineMs));
}

function leftOf(account: Account, nowMs: number): BudgetLeft {
  const sumLeft = (sum: Sum): number | null => {
    const there = free(account, sum);
    return Number.isFinite(there) ? there : null;
  };
  const usd = sumLeft("usd");
  const ends = earliest(account);
  return {
    tokens: sumLeft("tokens"),
    usd: usd === null ? null : usd / PER_DOLLAR,
    wall_ms: Number.isFinite(ends) ? Math.max(0, ends - nowMs) : null,
  };
}

function settle(account: Account): void {
  account.live = false;
  for (const child of account.children) settle(child);
}

function refusal(
  what: string,
  exceeded: readonly BudgetUnit[],
  account: Account,
  nowMs: number,
): BudgetRefusal {
  const left = leftOf(account, nowMs);
  const shown = [
    left.tokens === null ? [] : [`${left.tokens} tokens`],
    left.usd === null ? [] : [`$${left.usd}`],
    left.wall_ms === null ? [] : [`${left.wall_ms} ms`],
  ].flat();
  const why =
    exceeded.length === 0
      ? "it was settled, or its parent was"
      : `too little is left of ${exceeded.join(", ")}`;
  const rest = shown.length === 0 ? "" : ` There is left: ${shown.join(", ")}.`;
  const unknown = exceeded.includes("usd") && isPriceless(account) ? UNKNOWN_PRICE : "";
  return { ok: false, code: "budget_exceeded", exceeded, left, message: `${what}: ${why}.${rest}${unknown}` };
}

const UNKNOWN_PRICE =
  " The price of a model that was used is not known, so a limit in dollars cannot be kept: one in tokens can, or give the price (OXBOW_PRICES).";

function isPriceless(account: Account): boolean {
  return upwards(account).some(({ limit, priceless }) => priceless && Number.isFinite(limit.usd));
}

function amountsOf({ tokens, usd, wallMs }: BudgetLimit): Record<Sum, number> {
  if (wallMs !== undefined) amount("wallMs", wallMs);
  return {
    tokens: tokens === undefined ? Infinity : amount("tokens", tokens),
    usd: usd === undefined ? Infinity : amount("usd", usd),
  };
}

function amount(name: Sum | "wallMs", value: number): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0)
    return name === "usd" ? Math.round(value * PER_DOLLAR) : value;
  throw new OxbowError("usage", `${name} must be a number from 0, not ${String(value)}.`);
}
