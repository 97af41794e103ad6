/** Patterns of `allowed_paths`: one form for each, its alternatives, and how specific it is. */
import micromatch from "micromatch";
import { OxbowError } from "./errors.ts";
import { simpleMatcher } from "./glob-match.ts";
import { byteLength, quoted } from "./text.ts";

const MAX_PATTERN_BYTES = 1024;
const MAX_ALTERNATIVES = 1000;
const MAGIC = /[\\*?[\](){}|"]/;

/** One alternative of a pattern, braces expanded. */
export interface Glob {
  /** Normalised text: NFC, no `./`, no braces that expand. */
  readonly text: string;
  readonly negative: boolean;
  /** The path it names when it has no wildcard (escapes resolved), else null. */
  readonly literal: string | null;
  /** The directory whose whole content it covers when it reads `<literal>/**`, else null. */
  readonly directory: string | null;
  /** The path without wildcards that was written, be this its own form or the one for what is below it; else null. */
  readonly named: string | null;
  /** Literal segments it begins with, joined: no path outside this directory matches. */
  readonly prefix: string;
  /** A name after its first wildcard that every path it matches has; null when there is none, or that cannot be seen. */
  readonly needs: string | null;
  readonly segments: readonly SegmentRank[];
}

/** 3 literal, 2 partly literal, 1 `*`, `?` or `[]` alone, 0 `**`; then the number of literal characters. */
export type SegmentRank = readonly [kind: 0 | 1 | 2 | 3, literals: number];

/** The alternatives of a pattern as written. A bare directory also covers what is below it. Throws team_config. */
export function parsePattern(written: string): readonly Glob[] {
  const negative = isNegative(written);
  const bare = written.replace(/^(?:!(?!\())+/, "");
  refuseBad(written, bare);
  const found = new Map<string, Glob>();
  for (const alternative of expand(written, bare)) {
    const text = cleaned(alternative);
    const named = literalOf(text);
    if (text === "") continue;
    refuseCostly(written, text);
    found.set(text, describe(text, negative, named));
    if (named !== null) found.set(`${text}/**`, describe(`${text}/**`, negative, named));
  }
  if (found.size === 0) throw bad(written, "is empty");
  return [...found.values()];
}

/** `!a` excludes; `!!a` does not; `!(a|b)` is a group, not an exclusion. */
function isNegative(written: string): boolean {
  const marks = /^(?:!(?!\())*/.exec(written)?.[0].length ?? 0;
  return marks % 2 === 1;
}

function refuseBad(written: string, bare: string): void {
  if (byteLength(written) > MAX_PATTERN_BYTES) throw bad(written, `has more than ${MAX_PATTERN_BYTES} bytes`);
  if (/\p{Cc}/u.test(bare) || !bare.isWellFormed()) throw bad(written, "contains a control character");
  if (/\\[\p{L}\p{N}_./-]/u.test(bare)) throw bad(written, "contains a backslash; write forward slashes");
  if (bare.endsWith("\\")) throw bad(written, "ends with a backslash");
  if (bare.startsWith("/") || /^[A-Za-z]:/.test(bare)) throw bad(written, "is absolute");
  if (bare.split("/").includes("..")) throw bad(written, "contains `..`");
}

/** Besides groups, which become a regular expression. */
const MAX_STARS = 4;

/** What would make a regular expression that takes forever on some path: patterns come from models, too. */
function refuseCostly(written: string, text: string): void {
  if (simpleMatcher(text) !== null) return;
  const stars = text.match(/\*+(?!\()|\]\+/g)?.length ?? 0;
  if (stars > MAX_STARS) throw bad(written, `has more than ${MAX_STARS} wildcards beside a group`);
  if (text.includes(")+")) throw bad(written, "repeats a group");
  for (const [, inside = "", end] of text.matchAll(/[*+]\(([^()]*)(.?)/g)) {
    const firsts = inside.split("|").map((part) => (literalOf(part) === null ? "" : part.charAt(0)));
    if (end === ")" && !firsts.includes("") && new Set(firsts).size === firsts.length) continue;
    throw bad(written, "repeats a group whose alternatives are not plain texts with different beginnings");
  }
}

/** Braces expanded, after a look at how many alternatives that would make. */
function expand(written: string, bare: string): readonly string[] {
  if (!bare.includes("{")) return [bare];
  let estimate = 1;
  for (const group of bare.split("{").slice(1)) {
    const commas = group.split(",").length - 1;
    estimate *= Math.max(1, commas + 1);
    if (group.includes("..")) estimate *= rangeSize(group);
    if (estimate > MAX_ALTERNATIVES) throw bad(written, `stands for more than ${MAX_ALTERNATIVES} patterns`);
  }
  try {
    return micromatch.braces(bare, { expand: true, keepEscaping: true, keepQuotes: true });
  } catch (error) {
    // The library breaks on some that do not match each other (a TypeError), and says no to others.
    throw bad(written, "has braces that cannot be read", error);
  }
}

function rangeSize(group: string): number {
  const [, from, to] = /(-?\d+)\.\.(-?\d+)/.exec(group) ?? [];
  return from === undefined || to === undefined ? 100 : Math.abs(Number(to) - Number(from)) + 1;
}

/** Without `.` segments and doubled slashes; a trailing slash means what is below. */
function cleaned(text: string): string {
  const names = text.normalize("NFC").split("/");
  const kept = names.filter((name) => name !== "" && name !== ".");
  if (kept.length === 0 && names.includes(".")) return "**";
  if (kept.length > 0 && names.at(-1) === "" && MAGIC.test(kept.join("/"))) kept.push("**");
  return kept.filter((name, i) => name !== "**" || kept[i - 1] !== "**").join("/");
}

function describe(text: string, negative: boolean, named: string | null): Glob {
  const names = text.split("/");
  const literals = names.map(literalOf);
  const magic = literals.indexOf(null);
  const prefix = literals.slice(0, magic === -1 ? names.length - 1 : magic).join("/");
  const directory = magic > 0 && magic === names.length - 1 && names[magic] === "**" ? prefix : null;
  return {
    text,
    negative,
    literal: literalOf(text),
    directory,
    named,
    prefix,
    needs: simpleMatcher(text) === null ? null : (literals.slice(magic + 1).findLast(isName) ?? null),
    segments: names.map(rankSegment),
  };
}

function isName(literal: string | null): literal is string {
  return literal !== null;
}

/** The text a pattern stands for when it has no wildcard, else null. */
function literalOf(text: string): string | null {
  const plain = text.replace(/\\[^\p{L}\p{N}_./-]/gu, "");
  if (MAGIC.test(plain)) return null;
  return text.replace(/\\([^\p{L}\p{N}_./-])/gu, "$1");
}

function rankSegment(name: string): SegmentRank {
  if (name === "**") return [0, 0];
  const literal = literalOf(name);
  if (literal !== null) return [3, 0];
  const rest = name
    .replace(/\\(.)/gu, "x")
    .replace(/\[[^\]]*\]/g, "")
    .replace(/[@+*?!]?\([^)]*\)/g, "")
    .replace(/[*?[\](){}|"]/g, "");
  const count = Array.from(rest).length;
  return count > 0 ? [2, count] : [1, 0];
}

/** Negative when `a` is more specific: literal patterns first, then segment by segment from the root, longer wins. */
export function compareSpecificity(a: Glob, b: Glob): number {
  if ((a.literal === null) !== (b.literal === null)) return a.literal === null ? 1 : -1;
  const shared = Math.min(a.segments.length, b.segments.length);
  for (let i = 0; i < shared; i++) {
    const [kindA, literalsA] = a.segments[i] ?? [0, 0];
    const [kindB, literalsB] = b.segments[i] ?? [0, 0];
    if (kindA !== kindB) return kindB - kindA;
    if (literalsA !== literalsB) return literalsB - literalsA;
  }
  return b.segments.length - a.segments.length;
}

/** A test of normalised NFC paths, compiled once. */
export function compileGlob(glob: Glob): (path: string) => boolean {
  const { literal, directory } = glob;
  if (literal !== null) return (path) => path === literal;
  if (directory !== null) return (path) => path === directory || path.startsWith(`${directory}/`);
  const simple = simpleMatcher(glob.text);
  if (simple !== null) return simple;
  return micromatch.matcher(glob.text, { dot: true, nonegate: /^!(?!\()/.test(glob.text) });
}

/** True when everything `inner` matches is surely matched by `outer`; false when that cannot be seen from their form. */
export function covers(outer: Glob, inner: Glob): boolean {
  if (outer.text === inner.text || outer.text === "**") return true;
  if (inner.literal !== null && compileGlob(outer)(inner.literal)) return true;
  if (outer.directory === null) return false;
  const base = inner.literal ?? inner.directory ?? inner.prefix;
  return base === outer.directory || base.startsWith(`${outer.directory}/`);
}

/** A pattern that matches exactly this path (and what is below it). */
export function literalPattern(path: string): string {
  const escaped = path.replace(/[\\*?[\](){}|"]/g, "\\$&");
  return escaped.startsWith("!") ? `./${escaped}` : escaped;
}

function bad(written: string, why: string, cause?: unknown): OxbowError {
  return new OxbowError("team_config", `The pattern ${quoted(written)} ${why}.`, {
    details: { pattern: written },
    ...(cause === undefined ? {} : { cause }),
  });
}
