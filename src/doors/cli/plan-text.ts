/** A plan for a person: what is to be reached, who does which part and when, and what is not clean about it. */
import { askWords, type BudgetAsk } from "../../core/budget-saved.ts";
import type { Plan, PlanSubtask } from "../../core/plan.ts";
import { titleOf } from "../../core/plan-title.ts";
import { clip, columns } from "./text.ts";

const WIDTH = 110;
const MOST_PATHS = 4;

interface About {
  /** How many files each subtask may write. */
  readonly sizes: readonly number[];
  /** What the team lets one task use; null: anything. */
  readonly budget: BudgetAsk | null;
  /** Where the plan is; null: nowhere. */
  readonly file: string | null;
}

export function planText(plan: Plan, { sizes, budget, file }: About): string {
  const title = clip(titleOf(plan.task), 80);
  const lines = [
    `Plan for "${title}" (${PLANNER[plan.planner]})${file === null ? "; nothing was made" : ""}.`,
    ...block(
      "Objectives",
      plan.objectives.filter((each) => each !== title || plan.objectives.length > 1),
    ),
    ...block("Done when", plan.acceptance_criteria),
    ...block("Keep to this", plan.constraints),
    ...(plan.scope.length === 0 ? [] : ["", `Scope: ${some(plan.scope, 8)}`]),
    "",
    ...parts(plan.subtasks, sizes),
    "",
    ...mece(plan),
    ...others(plan),
    ...(budget === null ? [] : ["", `Budget of the task: ${askWords(budget)}.`]),
    "",
    file === null
      ? "Keep it with --output plan.yaml (or --edit), then carry it out:  oxbow run --plan plan.yaml"
      : `Carry it out:  oxbow run --plan ${file}`,
  ];
  return `${lines.join("\n")}\n`;
}

const PLANNER: Readonly<Record<Plan["planner"], string>> = {
  rules: "by rules",
  llm: "by a model",
  hybrid: "by rules, and a model for the rest",
};

function block(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : ["", title, ...items.map((item) => `  - ${clip(item, WIDTH)}`)];
}

function parts(subtasks: readonly PlanSubtask[], sizes: readonly number[]): readonly string[] {
  const rows = columns(
    subtasks.map(({ id, agent, allowed_paths: paths, depends_on: after }, i) => [
      `${i + 1}`,
      agent,
      `${sizes[i] ?? 0} file${sizes[i] === 1 ? "" : "s"}`,
      [some(paths, MOST_PATHS) || "no paths", ...(after.length > 0 ? [`after ${some(after, 6)}`] : [])].join(
        "   ",
      ),
      ...(id === agent.toLowerCase() ? [] : [`(${id})`]),
    ]),
  );
  return subtasks.flatMap(({ brief, approval }, i) => [
    `  ${rows[i] ?? ""}`,
    ...ownWords(brief).map((line) => `       ${clip(line, WIDTH)}`),
    ...(approval === null ? [] : [`     ⚑ waits for your yes: ${clip(approval, WIDTH)}`]),
  ]);
}

/** The first paragraph of a brief: what it is about. */
function ownWords(brief: string): readonly string[] {
  const [first = ""] = brief.split("\n\n");
  const lines = first.split("\n");
  return lines.length <= 6 ? lines : [...lines.slice(0, 5), `… and ${lines.length - 5} more`];
}

function mece({ mece: { overlaps, leftovers }, scope }: Plan): readonly string[] {
  const files = (each: { readonly files: readonly string[]; readonly total: number }) =>
    `${each.total} file${each.total === 1 ? "" : "s"}: ${each.files.slice(0, 5).join(", ")}${each.total > 5 ? ", …" : ""}`;
  const shared = overlaps.map((each) => `  ${each.subtasks.join(" and ")} share ${files(each)}`);
  const clean = [
    ...(overlaps.length === 0 ? ["No file is in two parts."] : []),
    ...(leftovers.total === 0 && scope.length > 0 ? ["Nothing of the scope is left over."] : []),
  ];
  return [
    ...(clean.length > 0 ? [clean.join(" ")] : []),
    ...(shared.length > 0 ? ["Files in two parts (two branches may conflict there):", ...shared] : []),
    ...(leftovers.total > 0 ? [`Left over, and nobody's part: ${files(leftovers)}`] : []),
  ];
}

/** What `mece` does not say already. */
function others({ notices }: Plan): readonly string[] {
  return notices.filter(
    (notice) => !/may both write|of the scope (?:is|are) nobody's|more overlaps/.test(notice),
  );
}

function some(items: readonly string[], most: number): string {
  return items.length <= most
    ? items.join(", ")
    : `${items.slice(0, most).join(", ")} and ${items.length - most} more`;
}
