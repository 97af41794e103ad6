/** What one agent is told: its objectives, what it is done by, what it must keep to, and nothing of the others' work. */
import { PLAN_LIMITS } from "./plan.ts";

export interface BriefParts {
  readonly objectives: readonly string[];
  readonly criteria: readonly string[];
  readonly constraints: readonly string[];
  readonly context: readonly string[];
  /** Others have parts too. */
  readonly shared: boolean;
}

const MOST_CONTEXT = 1_500;

export function briefOf({ objectives, criteria, constraints, context, shared }: BriefParts): string {
  const blocks = [
    objectives.length > 1 ? listed(objectives) : (objectives[0] ?? ""),
    ...(shared ? ["Your part of it is what lies in your paths; others do the rest."] : []),
    ...titled("Done when", criteria),
    ...titled("Keep to this", constraints),
    ...titled("Background", within(context, MOST_CONTEXT)),
  ];
  const text = blocks.filter((block) => block !== "").join("\n\n");
  return text.length <= PLAN_LIMITS.brief ? text : `${text.slice(0, PLAN_LIMITS.brief - 1)}…`;
}

function titled(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : [`${title}:\n${listed(items)}`];
}

function listed(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

function within(items: readonly string[], most: number): readonly string[] {
  let size = 0;
  return items.filter((item) => (size += item.length) <= most);
}
