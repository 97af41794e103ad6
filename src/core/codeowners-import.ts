/**
 * CODEOWNERS as `allowed_paths`: there the last line that matches decides, here the most specific pattern. Where a later
 * line is less specific than an earlier one, its owner also gets what both match, which is more specific than either; where
 * that does not do, the earlier owner gives it up by a negative. What can be said in neither way is refused.
 */
import type { Codeowners, CodeownersRule } from "./codeowners.ts";
import { OxbowError } from "./errors.ts";
import { compareSpecificity, type Glob, parsePattern } from "./glob.ts";
import { coversPath, globText, intersect, isLiteral, parseNames, type PathPattern } from "./glob-overlap.ts";
import { isProtected } from "./paths.ts";
import { quoted } from "./text.ts";

/** Who is named on a line, and what they own. */
export interface TranslatedOwners {
  readonly owners: readonly string[];
  readonly allowedPaths: readonly string[];
}

interface Piece {
  readonly glob: Glob;
  readonly names: PathPattern;
}

/** One pattern of `allowed_paths`. */
interface Unit {
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly owner: string;
  readonly rule: CodeownersRule;
}

/** What a line takes from the owner of an earlier one. */
interface Loss {
  readonly owner: string;
  readonly rule: CodeownersRule;
  readonly from: CodeownersRule;
  readonly parts: PathPattern[];
}

/** Those with paths, in the order of the file. Throws codeowners_invalid, with the lines that cannot be expressed. */
export function translateCodeowners({ rules }: Codeowners): readonly TranslatedOwners[] {
  const live = withoutCovered(rules);
  let units: readonly Unit[] = [];
  const losses: Loss[] = [];
  for (const rule of live) {
    const own = unitsOf(rule);
    const left: Unit[] = [];
    for (const earlier of units) {
      const touched = earlier.owner !== ownerKey(rule) && mayMeet(earlier, rule);
      if (touched && earlier.pieces.every(({ names }) => isWithin(rule, names))) continue;
      left.push(earlier);
      if (touched) losses.push(...outdo(own, earlier, rule));
    }
    units = [...left, ...own];
  }
  refuseShared(units);
  const found = new Map<string, { owners: readonly string[]; allowedPaths: Set<string> }>();
  for (const { owner, text, rule } of units) {
    const known = found.get(owner) ?? { owners: rule.owners, allowedPaths: new Set() };
    found.set(owner, known);
    known.allowedPaths.add(text);
  }
  for (const loss of losses)
    for (const text of negatives(loss, units)) found.get(loss.owner)?.allowedPaths.add(text);
  return [...found.values()].map(({ owners, allowedPaths }) => ({ owners, allowedPaths: [...allowedPaths] }));
}

/** A path and what is below it may be two of the line's patterns. */
function isWithin(rule: CodeownersRule, names: PathPattern): boolean {
  const parts =
    names.length > 1 && names.at(-1) === null ? [names.slice(0, -1), [...names, ["*"] as const]] : [names];
  return parts.every((part) => rule.matches.some((whole) => coversPath(whole, part)));
}

function ownerKey({ owners }: CodeownersRule): string {
  return [...new Set(owners)].sort().join(" ");
}

/** A line of which all is matched by one later line says nothing. */
function withoutCovered(rules: readonly CodeownersRule[]): readonly CodeownersRule[] {
  const first = (pattern: PathPattern | undefined) => firstName(pattern ?? []);
  const byFirst = Map.groupBy(rules, ({ matches }) => first(matches[0]));
  const order = new Map(rules.map((rule, i) => [rule, i]));
  return rules.filter((rule) => {
    const name = first(rule.matches[0]);
    const others =
      name === "" ? (byFirst.get("") ?? []) : [...(byFirst.get(name) ?? []), ...(byFirst.get("") ?? [])];
    return !others.some(
      (later) =>
        (order.get(later) ?? 0) > (order.get(rule) ?? 0) &&
        rule.matches.every((part) => later.matches.some((whole) => coversPath(whole, part))),
    );
  });
}

/** The literal name a pattern begins with; "" when it begins with a wildcard. */
function firstName([first]: PathPattern): string {
  if (first === undefined || first === null) return "";
  return first.every((token) => typeof token === "object") ? globText([first]) : "";
}

function mayMeet({ pieces }: Unit, { matches }: CodeownersRule): boolean {
  const [one, other] = [firstName(pieces[0]?.names ?? []), firstName(matches[0] ?? [])];
  return one === "" || other === "" || one === other;
}

function unitsOf(rule: CodeownersRule): Unit[] {
  if (rule.owners.length === 0) return [];
  const [whole, below] = rule.matches;
  const literal = whole !== undefined && isLiteral(whole);
  // A path without wildcards owns what is below it, too; one that becomes instructions or code only so.
  if (literal && below !== undefined) return [unit(whole, rule)];
  const folder = whole?.slice(0, -2) ?? [];
  if (folder.length > 0 && isLiteral(folder) && isProtected(globText(folder))) return [unit(folder, rule)];
  return rule.matches.map((pattern) => unit(pattern, rule));
}

function unit(pattern: PathPattern, rule: CodeownersRule): Unit {
  const text = globText(pattern);
  return { text, pieces: piecesOf(text, rule), owner: ownerKey(rule), rule };
}

function piecesOf(text: string, rule: CodeownersRule): readonly Piece[] {
  try {
    return parsePattern(text).flatMap((glob) => {
      const names = parseNames(glob.text);
      return names === null ? [] : [{ glob, names }];
    });
  } catch (error) {
    throw refused(rule, error instanceof Error ? error.message : String(error), error);
  }
}

/** Makes the later line win over a pattern of an earlier one, by patterns added to `own`; returns what has to be given up instead. */
function outdo(own: Unit[], earlier: Unit, rule: CodeownersRule): readonly Loss[] {
  const loss: Loss = { owner: earlier.owner, rule, from: earlier.rule, parts: [] };
  for (const { glob, names } of earlier.pieces)
    for (const match of rule.matches) {
      const parts = intersect(names, match);
      if (parts === null) throw tooMany(rule, earlier.rule);
      for (const part of parts) if (!wins(own, part, glob, rule)) loss.parts.push(part);
    }
  return loss.parts.length > 0 ? [loss] : [];
}

function wins(own: Unit[], part: PathPattern, over: Glob, rule: CodeownersRule): boolean {
  const stronger = (pieces: readonly Piece[]) =>
    pieces.some(({ glob, names }) => coversPath(names, part) && compareSpecificity(glob, over) < 0);
  if (own.some(({ pieces }) => stronger(pieces))) return true;
  if (rule.owners.length === 0) return false;
  const added = unit(part, rule);
  // A literal path also owns what is below it, which must be this line's as well.
  const within = added.pieces.every(({ names }) => isWithin(rule, names));
  if (!within || !stronger(added.pieces)) return false;
  if (own.length >= MOST_UNITS) throw tooMany(rule, rule);
  own.push(added);
  return true;
}

/** Patterns that one line may come to. */
const MOST_UNITS = 200;

/** The later line as a whole, or what both lines match, as negatives that take nothing of the owner's own later lines. */
function negatives({ owner, rule, from, parts }: Loss, units: readonly Unit[]): readonly string[] {
  const later = units.filter((each) => each.owner === owner && each.rule.line > rule.line);
  const whole =
    rule.matches.length === 2 && isLiteral(rule.matches[0] ?? []) ? rule.matches.slice(0, 1) : rule.matches;
  for (const candidate of [whole, parts]) {
    const texts = candidate.map(globText);
    const taken = texts.flatMap((text) => piecesOf(text, rule));
    const harmed = later.find(({ pieces }) =>
      pieces.some((piece) => taken.some((each) => meets(piece, each))),
    );
    if (harmed === undefined) return texts.map((text) => `!${text}`);
    if (candidate === parts)
      throw refused(
        rule,
        `it takes paths from ${quoted(from.pattern)} (line ${from.line}) of which ${quoted(harmed.rule.pattern)} (line ${harmed.rule.line}) gives some back to ${owner}`,
      );
  }
  return [];
}

function meets(one: Piece, other: Piece): boolean {
  return intersect(one.names, other.names)?.length !== 0;
}

/** Two owners with one pattern: each has its own part of it, which only the order of the lines tells. */
function refuseShared(units: readonly Unit[]): void {
  const first = new Map<string, Unit>();
  for (const each of units) {
    const other = first.get(each.text);
    if (other !== undefined && other.owner !== each.owner)
      throw refused(
        each.rule,
        `${quoted(each.text)} would be ${other.owner}'s (line ${other.rule.line}) as well`,
      );
    first.set(each.text, each);
  }
}

function tooMany(rule: CodeownersRule, other: CodeownersRule): OxbowError {
  return refused(
    rule,
    `what it has in common with ${quoted(other.pattern)} (line ${other.line}) takes too many patterns`,
  );
}

function refused({ line, pattern }: CodeownersRule, reason: string, cause?: unknown): OxbowError {
  return new OxbowError(
    "codeowners_invalid",
    `Line ${line} (${quoted(pattern)}) cannot be said in allowed_paths: ${reason}.`,
    { details: { line, pattern, reason }, ...(cause === undefined ? {} : { cause }) },
  );
}
