/**
 * Who owns a file: the agent whose `allowed_paths` match it most specifically (SAFETY "Ownership"). Patterns are
 * compiled once and filed under their literal prefix, so that a lookup tests only those that could match.
 */
import { OxbowError } from "./errors.ts";
import { compareSpecificity, compileGlob, type Glob, parsePattern } from "./glob.ts";
import { isProtected, ownershipPath, pathProblem } from "./paths.ts";
import { quoted } from "./text.ts";

export interface Owner {
  readonly agent: string;
  /** As written in the team file. */
  readonly pattern: string;
}

export interface Ownership {
  /** Throws path_rejected. */
  findOwner(path: string): string | null;
  /** The same, with the pattern that decided. Throws path_rejected. */
  find(path: string): Owner | null;
}

interface Rule {
  readonly agent: string;
  readonly written: string;
  readonly glob: Glob;
  /** Position among all rules, the most specific first. */
  rank: number;
  readonly matches: (path: string) => boolean;
}

interface Agent {
  readonly positive: readonly Rule[];
  readonly excludes: (path: string) => boolean;
}

/**
 * Throws team_config: a malformed pattern (`details: { agent, pattern }`), or one normalised pattern on two agents
 * (`details: { agents, patterns }`). The answers do not depend on the order of agents or patterns.
 */
export function createOwnership(agents: Readonly<Record<string, readonly string[]>>): Ownership {
  const parsed = new Map(
    Object.entries(agents).map(([name, patterns]) => [name, parseAgent(name, patterns)]),
  );
  const rules = [...parsed.values()].flatMap((agent) => agent.positive);
  refuseShared(rules);
  const index = createIndex(rules);

  function find(path: string): Owner | null {
    const wanted = ownershipPath(path);
    const guarded = isProtected(wanted);
    const accepts = (rule: Rule): boolean =>
      rule.matches(wanted) &&
      (!guarded || namesProtected(rule.glob)) &&
      parsed.get(rule.agent)?.excludes(wanted) !== true;
    const best = index(wanted, accepts);
    return best === null ? null : { agent: best.agent, pattern: best.written };
  }
  return { find, findOwner: (path) => find(path)?.agent ?? null };
}

/**
 * One agent's set: its positives minus its negatives. An empty list, or negatives alone, match nothing; a text that is
 * not a path inside the repository matches nothing. Throws team_config for a malformed pattern.
 */
export function createMatcher(patterns: readonly string[]): (path: string) => boolean {
  const matches = createPreparedMatcher(patterns);
  return (path) => {
    const prepared = preparePath(path);
    return prepared !== null && matches(prepared);
  };
}

/** As `createMatcher`, for what may be read or listed: there, a wildcard covers protected files like any other. */
export function createReadMatcher(patterns: readonly string[]): (path: string) => boolean {
  const matches = createPreparedMatcher(patterns);
  return (path) => {
    const prepared = preparePath(path);
    return prepared !== null && matches({ ...prepared, guarded: false });
  };
}

/** A path made ready for many matchers; null for a text that is not a path inside the repository. */
export interface PreparedPath {
  readonly path: string;
  readonly wanted: string;
  readonly guarded: boolean;
}

export function preparePath(path: string): PreparedPath | null {
  if (pathProblem(path) !== null) return null;
  const wanted = ownershipPath(path);
  return { path, wanted, guarded: isProtected(wanted) };
}

/** As `createMatcher`, for paths that are looked at many times. */
export function createPreparedMatcher(patterns: readonly string[]): (path: PreparedPath) => boolean {
  const agent = parseAgent("", patterns);
  const index = createIndex(agent.positive);
  return ({ wanted, guarded }) => {
    const accepts = (rule: Rule): boolean => rule.matches(wanted) && (!guarded || namesProtected(rule.glob));
    return index(wanted, accepts) !== null && !agent.excludes(wanted);
  };
}

function parseAgent(name: string, patterns: readonly string[]): Agent {
  const globs = patterns.flatMap((written) => parseFor(name, written).map((glob) => ({ written, glob })));
  const rules = globs.map(
    ({ written, glob }): Rule => ({ agent: name, written, glob, rank: 0, matches: compileGlob(glob) }),
  );
  const negative = rules.filter((rule) => rule.glob.negative);
  const excludes = (path: string): boolean => negative.some((rule) => rule.matches(path));
  return { positive: rules.filter((rule) => !rule.glob.negative), excludes };
}

function parseFor(agent: string, written: string): readonly Glob[] {
  try {
    return parsePattern(written);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const where = agent === "" ? "" : `Agent ${agent}: `;
    throw new OxbowError("team_config", `${where}${message}`, {
      details: { agent, pattern: written },
      cause: error,
    });
  }
}

/** A protected file is owned only by a literal pattern that names it, or the protected directory it is in. */
function namesProtected(glob: Glob): boolean {
  return glob.named !== null && (glob.literal !== null || isProtected(glob.named));
}

function refuseShared(rules: readonly Rule[]): void {
  const first = new Map<string, Rule>();
  for (const rule of rules) {
    const other = first.get(rule.glob.text);
    if (other === undefined) first.set(rule.glob.text, rule);
    else if (other.agent !== rule.agent) {
      const second = other.written === rule.written ? "" : ` and ${quoted(rule.written)}`;
      const shared = quoted(other.written) + second;
      throw new OxbowError(
        "team_config",
        `Agents ${other.agent} and ${rule.agent} both have the pattern ${shared}.`,
        {
          hint: "Give each pattern to one agent; a more specific pattern wins over a wider one.",
          details: { agents: [other.agent, rule.agent], patterns: [other.written, rule.written] },
        },
      );
    }
  }
}

const NO_RULES: readonly Rule[] = [];

type Lookup = (path: string, accepts: (rule: Rule) => boolean) => Rule | null;

/**
 * Rules by a name that their paths have, else by the literal directory they begin with; literal ones by their path. The
 * most specific accepted one is found.
 */
function createIndex(rules: readonly Rule[]): Lookup {
  const ordered = [...rules].sort(compareRules);
  const byPath = new Map<string, Rule[]>();
  const byName = new Map<string, Rule[]>();
  const byPrefix = new Map<string, Rule[]>();
  for (const [rank, rule] of ordered.entries()) {
    rule.rank = rank;
    const { literal, directory, prefix, needs } = rule.glob;
    if (literal !== null) file(byPath, literal, rule);
    else if (needs !== null) file(byName, needs, rule);
    else file(byPrefix, directory ?? prefix, rule);
  }
  const below = createMemo((dir, above) => {
    const own = [...(byPrefix.get(dir) ?? []), ...(byName.get(nameIn(dir)) ?? [])];
    return own.length === 0 ? above : [...above, ...own].sort((a, b) => a.rank - b.rank);
  });
  return (path, accepts) => {
    const exact = byPath.get(path)?.find(accepts);
    if (exact !== undefined) return exact;
    const best = better(below(directoryOf(path)), null, accepts);
    const named = byName.size === 0 ? best : better(byName.get(nameIn(path)), best, accepts);
    return better(byPrefix.get(path), named, accepts);
  };
}

/** `""` of what is at the top. */
function directoryOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of all directories together; then it begins anew. */
const MOST_REMEMBERED = 200_000;

/** The rules that may match in a directory, made from those of the one above, the most specific first; remembered. */
function createMemo(
  make: (dir: string, above: readonly Rule[]) => readonly Rule[],
): (dir: string) => readonly Rule[] {
  const known = new Map<string, readonly Rule[]>();
  let size = 0;
  const of = (dir: string): readonly Rule[] => {
    const found = known.get(dir);
    if (found !== undefined) return found;
    const above = dir === "" ? NO_RULES : of(directoryOf(dir));
    const made = make(dir, above);
    size += 1 + (made === above ? 0 : made.length);
    if (size > MOST_REMEMBERED) {
      known.clear();
      size = 0;
    }
    known.set(dir, made);
    return made;
  };
  return of;
}

function better(
  bucket: readonly Rule[] | undefined,
  best: Rule | null,
  accepts: (rule: Rule) => boolean,
): Rule | null {
  for (const rule of bucket ?? NO_RULES) {
    if (best !== null && rule.rank >= best.rank) return best;
    if (accepts(rule)) return rule;
  }
  return best;
}

function file(index: Map<string, Rule[]>, key: string, rule: Rule): void {
  const bucket = index.get(key);
  if (bucket === undefined) index.set(key, [rule]);
  else bucket.push(rule);
}

/** Total: specificity, then the agent's name, then the text, by code unit. */
function compareRules(a: Rule, b: Rule): number {
  return (
    compareSpecificity(a.glob, b.glob) ||
    compareText(a.agent, b.agent) ||
    compareText(a.glob.text, b.glob.text) ||
    compareText(a.written, b.written)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
