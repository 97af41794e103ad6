/** The planner without a model: the same text, team and files always give the same plan. */
import { intersect, globText, parseNames } from "./glob-overlap.ts";
import { type Plan, PLAN_LIMITS, type PlanSubtask } from "./plan.ts";
import { briefOf } from "./plan-brief.ts";
import { gatesOf } from "./plan-gates.ts";
import { readTask, type Statement, type TaskIntent } from "./plan-intent.ts";
import { meceNotices, meceOf } from "./plan-mece.ts";
import { dependenciesOf } from "./plan-order.ts";
import { candidates } from "./plan-paths.ts";
import { excluding, type PlannerFacts, type Share, shareOut, type Shares } from "./plan-shares.ts";
import { parsePattern } from "./glob.ts";
import { createPreparedMatcher, type PreparedPath } from "./ownership.ts";
import { ownScope } from "./split.ts";
import { partPatterns } from "./split-scope.ts";
import type { AgentSpec } from "./team-file.ts";

export interface RulesPlan {
  readonly plan: Plan;
  /** What the rules could not settle. */
  readonly rest: {
    readonly isVague: boolean;
    readonly unowned: readonly string[];
    readonly unnamed: readonly string[];
  };
}

/** Throws nothing for any text; whether the plan can be carried out is for `checkPlan` to say. */
export function planByRules(task: string, facts: PlannerFacts): RulesPlan {
  const intent = readTask(task);
  const found = shareOut(intent, facts);
  const parts = named(found.shares);
  const waits = dependenciesOf(
    parts.map(({ id, share }) => ({ id, agent: share.agent, step: stepOf(share, intent.statements) })),
  );
  const allowed = parts.map(({ share }) => pathsFor(share, found, facts));
  const gates = gatesOf(
    parts.map(({ share }, at) => ({ ...share, allowed: allowed[at] ?? [] })),
    intent.statements,
    facts.index,
  );
  const subtasks = parts.map(
    ({ id, share }, at): PlanSubtask => ({
      id,
      agent: share.agent.name,
      brief: briefFor(share, found, intent),
      responsibilities: share.agent.responsibilities,
      allowed_paths: allowed[at] ?? [],
      depends_on: waits.get(id) ?? [],
      approval: gates.reasons[at] ?? null,
    }),
  );
  const scope = found.named.length === 0 ? [] : [...found.named, ...found.avoided.map(excluding)];
  const mece = meceOf(subtasks, scope, facts.index);
  const { objectives, constraints, acceptanceCriteria: acceptance_criteria } = intent;
  return {
    plan: {
      version: 1,
      task: task.slice(0, PLAN_LIMITS.task),
      planner: "rules",
      objectives,
      constraints,
      acceptance_criteria,
      scope: scope.slice(0, PLAN_LIMITS.patterns),
      subtasks: inOrder(subtasks),
      mece,
      notices: [...found.notices, ...gates.notices, ...meceNotices(mece)].slice(0, PLAN_LIMITS.lines),
    },
    rest: { isVague: found.isVague, unowned: found.unowned, unnamed: found.unnamed },
  };
}

/** In the order of their names, each with an id made of it. */
function named(shares: readonly Share[]): readonly { readonly id: string; readonly share: Share }[] {
  const sorted = shares.toSorted((a, b) => (a.agent.name < b.agent.name ? -1 : 1));
  const ids = new Set<string>();
  return sorted.map((share) => {
    const id = freeId(share.agent.name, ids);
    ids.add(id);
    return { id, share };
  });
}

/** `api`, or `api-2` where that is taken. */
export function freeId(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  const base = plain || "part";
  let id = base;
  for (let n = 2; taken.has(id); n++) id = `${base}-${n}`;
  return id;
}

/** Who waits for nobody first. */
function inOrder(subtasks: readonly PlanSubtask[]): readonly PlanSubtask[] {
  const done = new Set<string>();
  const sorted: PlanSubtask[] = [];
  let left = [...subtasks];
  while (left.length > 0) {
    const ready = left.filter(({ depends_on: needs }) => needs.every((id) => done.has(id)));
    if (ready.length === 0) return [...sorted, ...left];
    for (const { id } of ready) done.add(id);
    sorted.push(...ready);
    left = left.filter(({ id }) => !done.has(id));
  }
  return sorted;
}

/** The first step in which it has work of its own. */
function stepOf({ statements }: Share, all: readonly Statement[]): number | null {
  const steps = [...statements].flatMap((at) => all[at]?.step ?? []);
  return steps.length === 0 ? null : Math.min(...steps);
}

/** A statement that is nobody's own is for all. */
function briefFor(share: Share, { shares }: Shares, { statements, objectives }: TaskIntent): string {
  const owned = new Set(shares.flatMap((each) => [...each.statements]));
  const told = (kind: Statement["kind"]) =>
    statements.flatMap((statement, at) =>
      statement.kind === kind && (share.statements.has(at) || !owned.has(at)) ? [statement.text] : [],
    );
  const own = told("objective");
  return briefOf({
    objectives: [...new Set(own.length > 0 ? own : objectives)],
    criteria: [...new Set(told("criterion"))],
    constraints: [...new Set(told("constraint"))],
    context: [...new Set(told("context"))],
    shared: shares.length > 1,
  });
}

/** Beyond this, names of single files are no longer something to read. */
const MOST_PATTERNS = 2_000;

function pathsFor(share: Share, { named: wished, avoided }: Shares, facts: PlannerFacts): readonly string[] {
  const { agent } = share;
  const own = ownScope(agent);
  const around = candidates([...own, ...(share.whole ? [] : wished)], facts.index.files);
  const part = share.whole ? wholePart(agent, around, facts) : share.files;
  const patterns =
    part.size === 0
      ? []
      : partPatterns({
          part,
          files: around,
          own,
          wished: share.whole ? null : narrowed(own, wished),
          others: facts.agents.flatMap(({ name, allowedPaths }) =>
            name === agent.name ? [] : [allowedPaths],
          ),
        });
  const isUseless = patterns.length > MOST_PATTERNS || (share.whole && patterns.length === 0);
  const clean = withoutPairs(isUseless ? own : patterns);
  const found = [...new Set([...(share.whole ? clean : withFiles(clean, around)), ...share.made])];
  const apart = avoided.filter((pattern) => mayMeet(pattern, found)).map(excluding);
  return [...found, ...apart.filter((pattern) => !found.includes(pattern))];
}

/** All that an agent owns; what everybody obeys only where it owns nothing else. */
function wholePart(
  agent: AgentSpec,
  around: readonly PreparedPath[],
  { ownership }: PlannerFacts,
): ReadonlySet<string> {
  const isIts = (path: string) => {
    const owner = ownership.findOwner(path);
    return owner === null ? agent.unbounded : owner === agent.name;
  };
  const its = around.filter(({ path }) => isIts(path));
  const plain = its.filter(({ guarded }) => !guarded);
  return new Set((plain.length > 0 || agent.unbounded ? plain : its).map(({ path }) => path));
}

/** A pattern that no file has is not part of what was found. */
function withFiles(patterns: readonly string[], files: readonly PreparedPath[]): readonly string[] {
  return patterns.filter(
    (pattern) =>
      pattern.startsWith("!") || candidates([pattern], files).some(createPreparedMatcher([pattern])),
  );
}

/** What is named and taken out again need not be there at all. */
function withoutPairs(patterns: readonly string[]): readonly string[] {
  const all = new Set(patterns);
  const out = new Set(patterns.filter((pattern) => all.has(excluding(pattern))));
  return patterns.filter(
    (each) => !out.has(each) && !(each.startsWith("!") && out.has(each.replace(/^!(?:\.\/)?/, ""))),
  );
}

/** False when their folders show that no file is matched by both. */
function mayMeet(pattern: string, others: readonly string[]): boolean {
  const foldersOf = (each: string) =>
    parsePattern(each).flatMap((glob) =>
      glob.negative ? [] : [`${glob.literal ?? glob.directory ?? glob.prefix}/`],
    );
  const mine = foldersOf(pattern);
  const meets = (a: string, b: string) => a === "/" || b === "/" || a.startsWith(b) || b.startsWith(a);
  return others.flatMap(foldersOf).some((folder) => mine.some((own) => meets(own, folder)));
}

/** What a wish and an own pattern have in common, where neither holds the other. */
function narrowed(own: readonly string[], wished: readonly string[]): readonly string[] {
  const parsed = (patterns: readonly string[]) =>
    patterns
      .filter((pattern) => !pattern.startsWith("!"))
      .map((pattern) => parseNames(pattern.replace(/^\.\//, "")))
      .filter((pattern) => pattern !== null);
  const [mine, theirs] = [parsed(own), parsed(wished)];
  if (mine.length * theirs.length > MOST_PAIRS) return wished;
  const shared = mine.flatMap((a) => theirs.flatMap((b) => intersect(a, b) ?? []));
  return [...new Set([...wished, ...shared.map(globText)])];
}

const MOST_PAIRS = 10_000;
