/** The app's methods that plan a task before anything of it begins. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { BudgetAsk } from "./core/budget-saved.ts";
import type { Plan } from "./core/plan.ts";
import type { Engine } from "./team/engine.ts";
import type { PlanRequest } from "./team/plan.ts";

export type { Plan, PlanSubtask } from "./core/plan.ts";
export type { PlanRequest } from "./team/plan.ts";

export interface PlanCalls {
  /**
   * From a task's text to a plan; makes nothing else. Throws usage, agent_unknown, rev_not_found, plan_invalid, and with a
   * model what its run failed with.
   */
  makePlan(request: PlanRequest, signal: AbortSignal): Promise<Plan>;
  /**
   * A plan from the text of a file, checked against the team and the files of its base, on which `mece` and `notices` are
   * found anew. Throws plan_invalid with line and column.
   */
  readPlan(text: string, file: string, from?: PlanBase): Promise<Plan>;
  /** How many files of the base each subtask may write, in the order of the plan. */
  planSizes(plan: Plan, from?: PlanBase): Promise<readonly number[]>;
  /** What the team file lets one task use; null: it sets no limit. */
  planBudget(): Promise<BudgetAsk | null>;
  /** Writes it, as YAML or JSON by the file's name; without one into the state directory. Returns where. */
  keepPlan(plan: Plan, file?: string): Promise<string>;
  /** Opens VISUAL or EDITOR on a file. Throws usage (there is none), command_failed. */
  editFile(file: string): Promise<void>;
}

/** Plans that nobody named a place for: so many of them stay. */
const MOST_KEPT = 50;

async function forgetOld(home: string): Promise<void> {
  // The ids rise with time.
  const old = (await readdir(home)).sort().slice(0, -MOST_KEPT);
  for (const name of old) await rm(join(home, name), { force: true });
}

/** Where the work would start; see `run`. */
export interface PlanBase {
  readonly base?: string | undefined;
  readonly ticket?: string | undefined;
}

export function planCalls(engine: () => Promise<Engine>, env: Readonly<Record<string, string>>): PlanCalls {
  const filesOf = async (from: PlanBase) => {
    const { startOf } = await import("./team/task-base.ts");
    const now = await engine();
    const { commit } = await startOf(now, from.base, from.ticket);
    return (await now.repo.listFiles(commit)).map(({ path }) => path);
  };
  return {
    async makePlan(request, signal) {
      const { makePlan } = await import("./team/plan.ts");
      return makePlan(await engine(), request, signal);
    },

    async readPlan(text, file, from = {}) {
      const { readPlanFile } = await import("./core/plan-file.ts");
      const { meceNotices, meceOf } = await import("./core/plan-mece.ts");
      const { indexFiles } = await import("./core/plan-paths.ts");
      const { registry, team } = await engine();
      // Its form first: that needs no repository.
      readPlanFile(text, file);
      const files = await filesOf(from);
      const plan = readPlanFile(text, file, { agents: registry.list(), limits: team.limits, files });
      const mece = meceOf(plan.subtasks, plan.scope, indexFiles(files));
      return { ...plan, mece, notices: meceNotices(mece) };
    },

    async planSizes(plan, from = {}) {
      const { filesOf: matched, indexFiles } = await import("./core/plan-paths.ts");
      const index = indexFiles(await filesOf(from));
      return plan.subtasks.map((subtask) => matched(subtask.allowed_paths, index).length);
    },

    async planBudget() {
      return (await engine()).team.budget;
    },

    async keepPlan(plan, file) {
      const { writePlanFile } = await import("./core/plan-file.ts");
      const { repo, newId } = await engine();
      const home = join(repo.stateDir, "plans");
      const path = file === undefined ? join(home, `${newId("plan")}.yaml`) : resolve(file);
      await mkdir(dirname(path), { recursive: true });
      if (file === undefined) await forgetOld(home);
      await writeFile(path, writePlanFile(plan, path));
      return path;
    },

    async editFile(file) {
      const { editFile } = await import("./host/editor.ts");
      await editFile(file, process.cwd(), env);
    },
  };
}
