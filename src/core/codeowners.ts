/**
 * CODEOWNERS files as GitHub reads them (docs.github.com, "About code owners"): the last line that matches a path says who
 * owns it, a line without owners says nobody does, and a line that GitHub does not understand is skipped.
 */
import { OxbowError } from "./errors.ts";
import type { NamePattern, PathPattern, Token } from "./glob-overlap.ts";
import { byteLength, quoted } from "./text.ts";

/** Where GitHub looks for the file; the first there is counts. */
export const CODEOWNERS_PLACES = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"] as const;

/** A larger file GitHub does not load. */
const MAX_BYTES = 3 * 1024 * 1024;

export interface CodeownersRule {
  /** From 1. */
  readonly line: number;
  /** As written. */
  readonly pattern: string;
  /** `@user`, `@org/team` or an address; none: nobody owns it. */
  readonly owners: readonly string[];
  /** What it matches, of which the literal path stands for itself and what is below it. */
  readonly matches: readonly PathPattern[];
}

export interface SkippedLine {
  readonly line: number;
  readonly text: string;
  readonly reason: string;
}

export interface Codeowners {
  readonly rules: readonly CodeownersRule[];
  readonly skipped: readonly SkippedLine[];
}

/** Throws codeowners_invalid for a file that is too large. */
export function parseCodeowners(text: string): Codeowners {
  if (byteLength(text) >= MAX_BYTES)
    throw new OxbowError("codeowners_invalid", "The file has 3 MB or more: GitHub does not load it.");
  const rules: CodeownersRule[] = [];
  const skipped: SkippedLine[] = [];
  for (const [i, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const read = readLine(raw);
    if (read === null) continue;
    if ("reason" in read) skipped.push({ line: i + 1, text: raw.trim(), reason: read.reason });
    else rules.push({ line: i + 1, ...read });
  }
  return { rules, skipped };
}

type Read = Omit<CodeownersRule, "line"> | { readonly reason: string } | null;

function readLine(raw: string): Read {
  const text = raw.trim();
  if (text === "" || text.startsWith("#")) return null;
  // A blank after a backslash belongs to the pattern; `#` begins a comment.
  const [, pattern = "", rest = ""] = /^((?:\\.|[^\s#\\])+)(.*)$/.exec(text) ?? [];
  const reason = unsupported(pattern === "" ? text : pattern, rest);
  if (reason !== null) return { reason };
  const owners = rest
    .replace(/#.*$/, "")
    .split(/\s+/)
    .filter((word) => word !== "");
  const odd = owners.find((owner) => !OWNER.test(owner));
  if (odd !== undefined)
    return { reason: `${quoted(odd)} is no owner: write @user, @org/team or an address` };
  const matches = patternsOf(pattern);
  if (matches === null) return { reason: "no path looks like that" };
  return { pattern, owners, matches };
}

/** The first that is no owner, as a sentence without its end; or null. */
export function ownerProblem(owners: readonly string[]): string | null {
  const odd = owners.find((owner) => !OWNER.test(owner));
  return odd === undefined ? null : `${quoted(odd)} is no owner: write @user, @org/team or an address`;
}

const OWNER = /^(?:@[A-Za-z0-9_-]+(?:\/[A-Za-z0-9._-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+)$/;

function unsupported(pattern: string, rest: string): string | null {
  if (pattern.startsWith("!")) return "GitHub does not know `!` here";
  if (pattern.startsWith("\\#")) return "GitHub does not know `\\#` here";
  if (/(?:^|[^\\])(?:\\\\)*[[\]]/.test(pattern)) return "GitHub does not know `[ ]` here";
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(pattern)) return "it ends with a backslash";
  if (/\*{3}/.test(pattern)) return "it has three `*` in a row";
  return rest === "" || /^\s/.test(rest) ? null : "a `#` begins a comment only after a blank";
}

/** What a pattern matches; null when that is no path at all. */
function patternsOf(written: string): readonly PathPattern[] | null {
  const names = written.split("/");
  const anchored = names.length > 1 && !(names.length === 2 && names[1] === "");
  if (names[0] === "") names.shift();
  const below = names.at(-1) === "" || names.at(-1) === "**";
  if (names.at(-1) === "") names.pop();
  if (names.length === 0 || names.some((name) => ["", ".", ".."].includes(name))) return null;
  const parsed = names.map(nameOf);
  const whole: NamePattern[] = anchored || parsed[0] === null ? parsed : [null, ...parsed];
  const everything: PathPattern = [null, ["*"]];
  if (below) {
    while (whole.at(-1) === null) whole.pop();
    return [[...whole, ...everything]];
  }
  const last = whole.at(-1);
  // `docs/*` is what lies in docs itself; any other name is that of a file, or of a directory with all in it.
  if (last?.length === 1 && last[0] === "*") return [whole];
  return [whole, [...whole, ...everything]];
}

function nameOf(name: string): NamePattern {
  if (name === "**") return null;
  const tokens: Token[] = [];
  for (let i = 0; i < name.length; i++) {
    const char = name.charAt(i);
    if (char === "*") {
      if (tokens.at(-1) !== "*") tokens.push("*");
    } else if (char === "?") tokens.push("?");
    else tokens.push({ char: char === "\\" ? name.charAt(++i) : char });
  }
  return tokens;
}
