/** Whom to ask for the right to write outside of a scope. Pure. */
import { hasCode, OxbowError } from "./errors.ts";
import { covers, literalPattern, parsePattern } from "./glob.ts";
import { createMatcher } from "./ownership.ts";
import { isProtected, normalisePath } from "./paths.ts";
import { liesIn } from "./split-scope.ts";
import type { AgentSpec } from "./team-file.ts";

export interface ScopeQuestion {
  /** The agent to ask; null: the window person. */
  readonly owner: string | null;
  /** Patterns that match what was asked for, and nothing else. */
  readonly patterns: readonly string[];
}

export interface ScopeQuestions {
  /** What was asked for and is allowed already. */
  readonly inScope: readonly string[];
  /** One for each who is to be asked. */
  readonly questions: readonly ScopeQuestion[];
}

export interface Asking {
  /** The agent that asks. */
  readonly agent: string;
  /** May the agent write this path? */
  allows(path: string): boolean;
  /** Patterns, each list holding all that the agent may write. */
  readonly scopes: readonly (readonly string[])[];
  readonly agents: readonly AgentSpec[];
  ownerOf(path: string): string | null;
  /** The files of its branch. */
  readonly files: readonly string[];
  /** Can this agent be asked? */
  answers(agent: string): boolean;
}

const MAX_PATHS = 50;

/**
 * A path of the branch is meant as it stands, whatever characters it holds; anything else may be a pattern, as in
 * `allowed_paths`. Protected files, what nobody owns, what more than one agent owns, and what a split took from the
 * owner itself are for the window person. Throws path_rejected, tool_input.
 */
export function scopeQuestions(paths: readonly string[], asking: Asking): ScopeQuestions {
  if (paths.length === 0) throw new OxbowError("tool_input", "Name at least one path.");
  if (paths.length > MAX_PATHS)
    throw new OxbowError("tool_input", `Ask for at most ${MAX_PATHS} paths at once, not ${paths.length}.`, {
      hint: "A pattern such as src/web/** stands for many.",
    });
  const known = new Set(asking.files);
  const inScope: string[] = [];
  const questions = new Map<string | null, Set<string>>();
  for (const path of paths) {
    const { pattern, literal } = read(path, known);
    if (literal === null ? asking.scopes.every((scope) => liesIn(pattern, scope)) : asking.allows(literal)) {
      inScope.push(path);
      continue;
    }
    const owner = literal === null ? ownerOfAll(pattern, asking) : ownerOfOne(literal, asking);
    const asked = owner !== null && owner !== asking.agent && asking.answers(owner) ? owner : null;
    questions.set(asked, (questions.get(asked) ?? new Set()).add(pattern));
  }
  return {
    inScope,
    questions: [...questions].map(([owner, patterns]) => ({ owner, patterns: [...patterns] })),
  };
}

/** `literal`: the one file that is meant; null for a pattern, or a directory. */
function read(path: string, files: ReadonlySet<string>): { pattern: string; literal: string | null } {
  if (files.has(path)) return { pattern: literalPattern(path), literal: path };
  try {
    const globs = parsePattern(path);
    if (globs.some((glob) => glob.negative))
      throw new OxbowError("tool_input", `${path} is an exclusion; name what you want to write.`);
    const [plain, ...others] = globs.flatMap(({ literal }) => (literal === null ? [] : [literal]));
    const wild = others.length > 0 || globs.some((glob) => glob.named === null);
    if (plain === undefined || wild) return { pattern: path, literal: null };
    const named = normalisePath(plain);
    const directory = path.endsWith("/") || [...files].some((file) => file.startsWith(`${named}/`));
    return { pattern: literalPattern(named), literal: directory ? null : named };
  } catch (error) {
    if (!hasCode(error, "team_config")) throw error;
    throw new OxbowError("path_rejected", error.message, { details: { path }, cause: error });
  }
}

function ownerOfOne(path: string, { ownerOf }: Asking): string | null {
  return isProtected(path) ? null : ownerOf(path);
}

/** The one agent that owns all of it, what is there and what may come. */
function ownerOfAll(pattern: string, { agents, files, ownerOf }: Asking): string | null {
  const globs = parsePattern(pattern);
  if (globs.some((glob) => glob.named !== null && isProtected(glob.named))) return null;
  const matches = createMatcher([pattern]);
  const owners = new Set(files.filter(matches).map(ownerOf));
  const holders = agents.filter((agent) => liesIn(pattern, agent.allowedPaths));
  const owner = holders.map(({ name }) => name).find((name) => owners.size === 0 || owners.has(name));
  if (owner === undefined || owners.size > 1) return null;
  const within = (other: AgentSpec) =>
    other.allowedPaths.flatMap(parsePattern).some((theirs) => globs.some((glob) => covers(glob, theirs)));
  return agents.some((other) => other.name !== owner && within(other)) ? null : owner;
}
