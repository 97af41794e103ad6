/** A plan that is carried out: its subtasks as a task's parts, checked on the repository as it is now. */
import type { EventBody } from "../core/events.ts";
import type { PlannedChild } from "../core/split.ts";
import type { NewChild } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { checkPlan, type Plan, planSchema, refusePlan } from "../core/plan.ts";
import { meceNotices, meceOf } from "../core/plan-mece.ts";
import { problemsOf } from "../core/plan-issues.ts";
import { indexFiles } from "../core/plan-paths.ts";

export interface DrawnPlan {
  readonly plan: Plan;
  readonly children: readonly PlannedChild[];
  readonly leftovers: readonly string[];
  readonly notices: readonly { code: string; message: string }[];
}

/** Throws plan_invalid with all problems. What of it is not exclusive, or left over, is a notice. */
export async function drawnPlan(engine: Engine, given: Plan, commit: string): Promise<DrawnPlan> {
  const clean = wellFormed(JSON.parse(engine.redact(JSON.stringify(given))));
  const files = (await engine.repo.listFiles(commit)).map(({ path }) => path);
  const { limits } = engine.team;
  refusePlan(checkPlan(clean, { agents: engine.registry.list(), limits, files }));
  const mece = meceOf(clean.subtasks, clean.scope, indexFiles(files));
  const positions = new Map(clean.subtasks.map(({ id }, i) => [id, i]));
  const children = clean.subtasks.map(
    (subtask): PlannedChild => ({
      agent: subtask.agent,
      brief: subtask.brief,
      responsibilities: subtask.responsibilities,
      allowedPaths: subtask.allowed_paths,
      dependsOn: [...new Set(subtask.depends_on.flatMap((id) => positions.get(id) ?? []))].sort(
        (a, b) => a - b,
      ),
      approval: subtask.approval,
    }),
  );
  const told = meceNotices(mece);
  const notices = told.map((message) => ({ code: "plan", message }));
  return { plan: { ...clean, mece, notices: told }, children, leftovers: [], notices };
}

/** A caller may be plain JavaScript. */
function wellFormed(given: unknown): Plan {
  const read = planSchema.safeParse(given);
  if (read.success) return read.data;
  refusePlan(problemsOf(read.error));
  throw new OxbowError("plan_invalid", "The plan cannot be read.");
}

/** `children` are in the plan's order. */
export function plannedEvent(taskId: string, plan: Plan, children: readonly NewChild[]): EventBody {
  const parts = plan.subtasks.map(({ id }, i) => ({ id, subtask_id: children[i]?.subtask.subtask_id ?? "" }));
  return { event: "planned", task_id: taskId, plan, parts };
}
