/** A plan as a file that a person reads, edits and hands back: YAML or JSON; what is wrong in it has its line and column. */
import { stringify } from "yaml";
import { OxbowError } from "./errors.ts";
import { z } from "zod";
import { checkPlan, type Plan, type PlanContext, PLAN_LIMITS, planShape, planSubtaskSchema } from "./plan.ts";
import { explainFindings, explainIssues, type FileKind } from "./team-issues.ts";
import { dotted, readYaml } from "./yaml-source.ts";

/** A person who writes one leaves out what is empty. */
const fileSchema = z.strictObject({
  ...planShape,
  planner: planShape.planner.default("rules"),
  objectives: planShape.objectives.default([]),
  constraints: planShape.constraints.default([]),
  acceptance_criteria: planShape.acceptance_criteria.default([]),
  scope: planShape.scope.default([]),
  subtasks: z
    .array(
      planSubtaskSchema.extend({
        responsibilities: planSubtaskSchema.shape.responsibilities.default([]),
        depends_on: planSubtaskSchema.shape.depends_on.default([]),
        approval: planSubtaskSchema.shape.approval.default(null),
      }),
    )
    .min(1)
    .max(PLAN_LIMITS.subtasks),
  mece: planShape.mece.default({ overlaps: [], leftovers: { files: [], total: 0 } }),
  notices: planShape.notices.default([]),
});

/** As the name says: JSON for `.json`, else YAML. */
export function writePlanFile(plan: Plan, file: string): string {
  if (file.toLowerCase().endsWith(".json")) return `${JSON.stringify(plan, null, 2)}\n`;
  return `${HEADER}${stringify(plan, { lineWidth: 110, indentSeq: true })}`;
}

const HEADER = `# A plan of Oxbow: carry it out with \`oxbow run --plan FILE\`, look at it with \`oxbow plan --from FILE\`.
# \`mece\` and \`notices\` are found anew each time.
`;

/**
 * Without `context` only its form is looked at. Throws plan_invalid with `details: { file, line, column, path, problems? }`;
 * `file` is only for messages.
 */
export function readPlanFile(text: string, file: string, context?: PlanContext): Plan {
  const read = readYaml(text);
  if (!read.ok) {
    const { line, column, message } = read.problem;
    const details = { file, line, column, path: "" };
    throw new OxbowError("plan_invalid", `${file}:${line}:${column}: ${message}`, { details });
  }
  const { source } = read;
  const result = fileSchema.safeParse(source.value);
  if (!result.success) throw explainIssues(result.error.issues, source, file, PLAN);
  const problems = context === undefined ? [] : checkPlan(result.data, context);
  if (problems.length === 0) return result.data;
  const findings = problems.map(({ path, message }) => ({
    ...source.position(path),
    path: dotted(path),
    message,
  }));
  const error = explainFindings(findings, file, "plan_invalid");
  throw new OxbowError("plan_invalid", error.message, { details: { ...error.details, problems } });
}

const TOP = [
  "version",
  "task",
  "planner",
  "objectives",
  "constraints",
  "acceptance_criteria",
  "scope",
  "subtasks",
  "mece",
  "notices",
];
const SUBTASK = ["id", "agent", "brief", "responsibilities", "allowed_paths", "depends_on", "approval"];

const PLAN: FileKind = {
  code: "plan_invalid",
  keysAt: (path) => (path.length === 0 ? TOP : path[0] === "subtasks" && path.length === 2 ? SUBTASK : []),
};
