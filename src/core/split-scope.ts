/** Which patterns describe a part of the repository, no more and no less. */
import { covers, type Glob, literalPattern, parsePattern } from "./glob.ts";
import { createPreparedMatcher, type PreparedPath } from "./ownership.ts";
import { isProtected } from "./paths.ts";

/**
 * The wished patterns as far as they can be handed on: each must lie in the giver's scope or in the taker's own paths,
 * and what the giver's scope excludes stays excluded. The first pattern that does not fit is returned as a text.
 */
export function narrowed(
  wished: readonly string[],
  scope: readonly string[],
  own: readonly string[],
): readonly string[] | string {
  const excluded = scope.filter((pattern) => parsePattern(pattern).some((glob) => glob.negative));
  let fromScope = false;
  for (const pattern of wished) {
    if (liesIn(pattern, own)) continue;
    if (!liesIn(pattern, scope)) return pattern;
    fromScope = true;
  }
  const missing = excluded.filter((pattern) => !wished.includes(pattern));
  return fromScope ? [...wished, ...missing] : wished;
}

/** True when a pattern surely matches nothing but what the scope's patterns match; their exclusions are not looked at. */
export function liesIn(pattern: string, scope: readonly string[]): boolean {
  const outer = scope.flatMap(parsePattern).filter((glob) => !glob.negative);
  return parsePattern(pattern).every((glob) => glob.negative || outer.some((other) => gives(other, glob)));
}

/** As `covers`, but a wildcard gives no protected file away. */
function gives(outer: Glob, inner: Glob): boolean {
  if (!covers(outer, inner)) return false;
  if (inner.named === null || !isProtected(inner.named)) return true;
  return outer.named !== null && (outer.literal !== null || isProtected(outer.named));
}

export interface Part {
  /** The files of this part. */
  readonly part: ReadonlySet<string>;
  /** All files, to prove that the patterns select the part and nothing else. */
  readonly files: readonly PreparedPath[];
  /** The owner's patterns. */
  readonly own: readonly string[];
  /** What the part was narrowed to, if it was. */
  readonly wished: readonly string[] | null;
  /** The patterns of the other agents. */
  readonly others: readonly (readonly string[])[];
}

/** Exclusions by name stay readable up to here. */
const MAX_EXCEPTIONS = 200;

/**
 * The owner's own patterns where they select just its part; else the narrower of its patterns and the selections; else
 * those without what others own, by pattern or by name; else the files by name.
 */
export function partPatterns({ part, files, own, wished, others }: Part): readonly string[] {
  const selected = wished === null ? own : intersection(own, wished);
  const first = tryOut(selected, part, files);
  if (first.foreign?.length === 0) return selected;
  const taken = others.flat().filter((pattern) => !isNegative(pattern));
  const second = tryOut([...selected, ...exclusions(selected, taken)], part, files);
  for (const { patterns, foreign } of [second, first]) {
    if (foreign !== null) return [...patterns, ...foreign.map(exception)];
  }
  return [...part].sort().map(literalPattern);
}

/** The files that patterns match outside the part; null when they miss some of it, or match too many others. */
function tryOut(patterns: readonly string[], part: ReadonlySet<string>, files: readonly PreparedPath[]) {
  const matches = createPreparedMatcher(patterns);
  const foreign: string[] = [];
  let inside = 0;
  for (const file of files) {
    if (!matches(file)) continue;
    if (part.has(file.path)) inside++;
    else if (foreign.push(file.path) > MAX_EXCEPTIONS) return { patterns, foreign: null };
  }
  return { patterns, foreign: inside === part.size ? foreign : null };
}

function exception(file: string): string {
  const pattern = literalPattern(file);
  return /^[(!]/.test(pattern) ? `!./${pattern}` : `!${pattern}`;
}

/** Patterns that match only what both lists match, as far as their form shows it. */
function intersection(a: readonly string[], b: readonly string[]): readonly string[] {
  const negative = [...a, ...b].filter(isNegative);
  const narrower = new Set<string>();
  for (const one of a.filter((pattern) => !isNegative(pattern))) {
    for (const other of b.filter((pattern) => !isNegative(pattern))) {
      if (liesIn(one, [other])) narrower.add(one);
      else if (liesIn(other, [one])) narrower.add(other);
    }
  }
  return [...narrower, ...new Set(negative)];
}

function isNegative(pattern: string): boolean {
  return parsePattern(pattern).some((glob) => glob.negative);
}

/** Other agents' patterns, negated, where they take a piece out of these. */
function exclusions(patterns: readonly string[], taken: readonly string[]): readonly string[] {
  const bases = patterns.flatMap(parsePattern).filter((glob) => !glob.negative);
  const found = new Set<string>();
  for (const glob of taken.flatMap(parsePattern)) {
    if (bases.some((base) => covers(base, glob) || glob.prefix === base.prefix)) {
      found.add(/^[(!]/.test(glob.text) ? `!./${glob.text}` : `!${glob.text}`);
    }
  }
  return [...found];
}
