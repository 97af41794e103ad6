/** A subtask under a budget: reserved before its attempt begins, asked before each call, stopped when its time is up. */
import type { BudgetLeft, BudgetMeter, BudgetRefusal, BudgetUnit } from "../core/budget.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { ErrorValue } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Outcome, Subtask, Task } from "../core/model.ts";
import type { Lease } from "../store/contract.ts";
import { type Engine, modelOf, runOptions, runtimeOf } from "./engine.ts";
import type { Finding } from "./outcome.ts";
import { type BudgetSummary, restoreBudget, summaryOf } from "../core/budget-saved.ts";
import { OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { aboutLease } from "./about.ts";

/** Timers of Node overflow beyond this. */
const MAX_TIMER_MS = 2_147_483_647;

/** After the store could not be read. */
const LOOK_AGAIN_MS = 1_000;

export interface AttemptBudget extends Disposable {
  /** What the calls of its models are counted by; undefined: no budget is over it. */
  readonly meter: BudgetMeter | undefined;
  /** Aborts with the given signal, and when its wall time is up. */
  readonly signal: AbortSignal;
  /** Why it is not begun, or not gone on with; null: it may. */
  readonly refusal: OxbowError | null;
  /** What of the budget was too little, as far as anything was. */
  exceeded(): readonly BudgetUnit[];
  /** Resolves when what was used is written down, also by calls whose run was stopped meanwhile. */
  counted(): Promise<void>;
}

/** `subtask`: null where it is not to begin anyway. */
export async function openBudget(
  engine: Engine,
  subtask: Subtask | null,
  signal: AbortSignal,
): Promise<AttemptBudget> {
  const { store } = engine;
  if (subtask?.budget === undefined)
    return {
      meter: undefined,
      signal,
      refusal: null,
      exceeded: () => [],
      counted: () => Promise.resolve(),
      [Symbol.dispose]: () => undefined,
    };
  const { task_id, subtask_id } = subtask;
  const launched = await store.budgets.launch(subtask);
  let refused: BudgetRefusal | null = launched.ok ? null : launched;
  const open = new Set<Promise<void>>();
  const ask = async () => {
    const saved = await store.budgets.read(task_id);
    return saved === null ? null : restoreBudget(saved).budget.mayCall(subtask_id, saved.now);
  };
  const timer = watchTime(launched.left.wall_ms, async () => (await ask())?.left.wall_ms ?? null, engine);
  return {
    meter: {
      async mayCall() {
        const verdict = await ask();
        if (verdict === null || verdict.ok) return;
        refused = verdict;
        throw exceededError(verdict);
      },
      async spend(use) {
        const writing = store.budgets.spend(task_id, subtask_id, use);
        open.add(writing);
        try {
          await writing;
        } finally {
          open.delete(writing);
        }
      },
    },
    signal: AbortSignal.any([signal, timer.signal]),
    refusal: launched.ok ? null : exceededError(launched),
    exceeded: () => (timer.signal.aborted ? ["wall_ms"] : (refused?.exceeded ?? [])),
    counted: async () => void (await Promise.allSettled(open)),
    [Symbol.dispose]: timer.stop,
  };
}

/** When the time is up it looks again: a person may have given more. */
function watchTime(leftMs: number | null, look: () => Promise<number | null>, { log }: Pick<Engine, "log">) {
  const up = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const wait = (ms: number | null) => {
    if (ms === null || stopped) return;
    if (ms <= 0) up.abort(STOP.wallTime);
    else timer = setTimeout(again, Math.min(ms, MAX_TIMER_MS));
  };
  const again = () => {
    look().then(wait, (error: unknown) => {
      log.error({ error: String(error) }, "budget_not_read");
      wait(LOOK_AGAIN_MS);
    });
  };
  wait(leftMs === 0 ? null : leftMs);
  return {
    signal: up.signal,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function exceededError({ message, left, exceeded }: BudgetRefusal): OxbowError {
  return new OxbowError("budget_exceeded", message, { details: { left, exceeded } });
}

/** The end of an attempt whose wall time was up before it was done: what it had kept stays. */
export function outOfTime(found: Finding): Partial<Finding> {
  if (found.outcome === "completed") return {};
  const { code, message, hint } = STOP.wallTime;
  const said = found.error === null || found.error.code === code ? "" : ` ${found.error.message}`;
  const error: ErrorValue = { code, message: `${message}${said}`, hint };
  return { outcome: "failed", error };
}

/** What the one that asked for a subtask (null: a person) can still give once this one has ended. */
export async function leftAbove(engine: Engine, subtask: Subtask): Promise<BudgetLeft | null> {
  if (subtask.budget === undefined) return null;
  const saved = await engine.store.budgets.read(subtask.task_id);
  if (saved === null) return null;
  const rows = saved.rows.map((row) =>
    row.subtask_id === subtask.subtask_id ? { ...row, open: false } : row,
  );
  const { budget, parentOf } = restoreBudget({ ...saved, rows });
  return budget.state(parentOf(subtask.subtask_id), saved.now).left;
}

/** What a subtask can still give to children of its own; null: no budget is over it. */
export async function leftOf(engine: Engine, subtask: Subtask): Promise<BudgetLeft | null> {
  if (subtask.budget === undefined) return null;
  const saved = await engine.store.budgets.read(subtask.task_id);
  return saved && restoreBudget(saved).budget.state(subtask.subtask_id, saved.now).left;
}

/** Told with the outcome. */
export function exceededEvents(
  lease: Lease,
  { error }: Outcome,
  budget: AttemptBudget,
  left: BudgetLeft | null,
): EventBody[] {
  if (error?.code !== "budget_exceeded" || left === null) return [];
  const about = aboutLease(lease);
  const { message } = error;
  const started = lease.attempt > 1 || budget.refusal === null;
  return [{ event: "budget_exceeded", ...about, started, exceeded: budget.exceeded(), left, message }];
}

/** For a report; null: neither the task nor a child of it has one. `subtasks`: of the task, where they are known already. */
export async function budgetOf(
  { store }: Pick<Engine, "store">,
  taskId: string,
  known: { readonly subtasks?: readonly Subtask[]; readonly outcomes?: readonly Outcome[] } = {},
): Promise<BudgetSummary | null> {
  const subtasks = known.subtasks ?? (await store.subtasks(taskId));
  if (subtasks.length > 0 && subtasks.every(({ budget }) => budget === undefined)) return null;
  const saved = await store.budgets.read(taskId);
  if (saved === null) return null;
  const outcomes = known.outcomes ?? (await store.outcomes(taskId));
  const refused = outcomes.filter(({ error }) => error?.code === "budget_exceeded");
  return summaryOf(
    saved,
    refused.map(({ subtask_id }) => subtask_id),
  );
}

/** A limit in dollars cannot be kept for these: said before anything is spent. */
export function priceNotices(
  engine: Engine,
  task: Pick<Task, "options">,
  agents: readonly AgentSpec[],
): { code: string; message: string }[] {
  const options = runOptions(task);
  if (options.budget?.usd === undefined) return [];
  const named = agents.filter((agent) => runtimeOf(options, agent) === "openai_agents");
  const unknown = named.map((agent) => ({ model: modelOf(options, agent, engine), agent }));
  const models = unknown
    .filter(({ model, agent }) => (engine.models(options, agent).price?.(model) ?? null) === null)
    .map(({ model }) => model);
  if (models.length === 0) return [];
  const which = [...new Set(models)].join(", ");
  const message = `The price of ${which} is not known here: after its first answer nothing further starts under a budget in dollars. Give it (OXBOW_PRICES), or a limit in tokens.`;
  return [{ code: "price_unknown", message }];
}
