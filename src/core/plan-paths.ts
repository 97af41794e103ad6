/** The files that a text speaks of: paths, folders and patterns in it, looked up among the real files of the base commit. */
import { hasCode } from "./errors.ts";
import { literalPattern, parsePattern } from "./glob.ts";
import { createPreparedMatcher, type PreparedPath, preparePath } from "./ownership.ts";
import { pathProblem } from "./paths.ts";
import { byteLength } from "./text.ts";

export interface FileIndex {
  /** Sorted by `wanted`. */
  readonly files: readonly PreparedPath[];
  has(path: string): boolean;
  isFolder(path: string): boolean;
  /** Files of that name, in any folder. */
  named(name: string): readonly string[];
}

/** Names that are no path (a program may have made them) are left out. */
export function indexFiles(paths: readonly string[]): FileIndex {
  const files = paths
    .flatMap((path) => preparePath(path) ?? [])
    .sort((a, b) => (a.wanted === b.wanted ? 0 : a.wanted < b.wanted ? -1 : 1));
  const known = new Set(files.map(({ path }) => path));
  const folders = new Set<string>();
  const names = new Map<string, string[]>();
  for (const { path } of files) {
    let slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const same = names.get(name);
    if (same === undefined) names.set(name, [path]);
    else same.push(path);
    for (; slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const folder = path.slice(0, slash);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return {
    files,
    has: (path) => known.has(path),
    isFolder: (path) => folders.has(path),
    named: (name) => names.get(name) ?? [],
  };
}

/** `target`: to be worked on. `only`: nothing else is. `avoid`: not to be touched. `reference`: to be looked at. */
export type PathRole = "target" | "only" | "avoid" | "reference";

export interface NamedPath {
  /** As it stands in the text. */
  readonly written: string;
  /** For `allowed_paths`. */
  readonly patterns: readonly string[];
  /** False: no file of the base is meant, so it may be one to be made. */
  readonly exists: boolean;
  readonly role: PathRole;
}

/** More than this many of one text are not looked at. */
const MAX_PATHS = 200;
/** Bytes: with escapes and an exclamation mark it is still a pattern. */
const MAX_WRITTEN = 450;
/** So many files of one name are listed; more are a pattern. */
const MAX_SAME = 10;

/** `excluded`: the whole text is about what is not to be touched. */
export function pathsIn(text: string, index: FileIndex, excluded = false): readonly NamedPath[] {
  const found: NamedPath[] = [];
  let last: Last | null = null;
  for (const match of text.matchAll(/`([^`]{1,300})`|[^\s`]+/g)) {
    if (found.length >= MAX_PATHS) break;
    const isCode = match[1] !== undefined;
    const written = bare(match[1] ?? match[0], isCode);
    const end = match.index + match[0].length;
    const around = { before: text.slice(0, match.index), after: text.slice(end, end + 40) };
    const next = continued(around.before, last);
    const isPlace =
      isCode || next !== null || (PLACE.test(around.before.slice(-40)) && ends(match[0], around.after));
    const meant = written === "" ? null : meaning(written, { isCode, isPlace }, index);
    if (meant === null) continue;
    const role: PathRole = excluded ? "avoid" : (next ?? roleOf(around));
    last = { end, role };
    found.push({ written, role, ...meant });
  }
  return found;
}

interface Last {
  readonly end: number;
  readonly role: PathRole;
}

/** In a list of paths each is meant as the first. */
function continued(before: string, last: Last | null): PathRole | null {
  const isNext = last !== null && /^[\s,]*(?:and|or|nor|&)?[\s,]*$/.test(before.slice(last.end));
  return isNext ? last.role : null;
}

/** After these, a bare word that is a folder's name is that folder: "in docs", "don't touch docs". */
const PLACE = /\b(?:in|under|inside|below|within|into|touch|edit|modify|change|leave|only)\s+(?:the\s+)?$/i;

/** "in docs", "in docs and", "in docs.", but not "in docs mode". */
function ends(token: string, after: string): boolean {
  return (
    /[.,;:!?)]$/.test(token) ||
    /^\s*(?:$|[.,;:!?)]|(?:and|or|but|then|only|alone|as|folder|directory)\b)/i.test(after)
  );
}

/** Without what a sentence puts around it, and the line that an editor or GitHub adds. */
function bare(token: string, isCode: boolean): string {
  let text = token.trim();
  if (!isCode) {
    text = text.replace(/^["'“‘<]+/, "").replace(/["'”’>,;:!?]+$/, "");
    if (text.startsWith("(") || (text.endsWith(")") && !text.includes("(")))
      text = text.replace(/^\(|[).,;:]+$/g, "");
    text = text.replace(/[.,;:]+$/, "");
  }
  return text.replace(/#L\d+(?:-L?\d+)?$|(?::\d+){1,2}(?:-\d+)?$/, "").replace(/^\.\//, "");
}

type Meaning = Pick<NamedPath, "patterns" | "exists">;

function meaning(
  written: string,
  { isCode, isPlace }: { readonly isCode: boolean; readonly isPlace: boolean },
  index: FileIndex,
): Meaning | null {
  if (byteLength(written) > MAX_WRITTEN) return null;
  if (/\s|:\/\/|^(?:www\.|@|-|~|\$)/.test(written)) return null;
  if (/[*{]/.test(written)) return globMeaning(written, isCode);
  const rooted = written.startsWith("/");
  const path = written.replace(/^\/|\/+$/g, "");
  if (path === "" || pathProblem(path) !== null) return null;
  if (index.has(path)) return isCode || /[/.\p{Lu}]/u.test(path) ? literal([path]) : null;
  const hasSlash = path.includes("/") || written.endsWith("/");
  if (index.isFolder(path))
    return isPlace || hasSlash ? { patterns: [`${literalPattern(path)}/**`], exists: true } : null;
  if (!hasSlash) {
    const same = /\.\w/.test(path) ? index.named(path) : [];
    if (same.length === 0) return null;
    return same.length > MAX_SAME
      ? { patterns: [`**/${literalPattern(path)}`], exists: true }
      : literal(same);
  }
  return !rooted && isNew(path, isCode, index) ? { patterns: [literalPattern(path)], exists: false } : null;
}

function literal(paths: readonly string[]): Meaning {
  return { patterns: paths.map(literalPattern), exists: true };
}

/** A pattern without a folder means that name anywhere. */
function globMeaning(written: string, isCode: boolean): Meaning | null {
  if (!/[/.]/.test(written) && !isCode) return null;
  const pattern = written.includes("/") ? written : `**/${written}`;
  try {
    if (parsePattern(pattern).some(({ negative }) => negative)) return null;
    return { patterns: [pattern], exists: true };
  } catch (error) {
    // `{users}` in a sentence about routes is no pattern.
    if (hasCode(error, "team_config")) return null;
    throw error;
  }
}

/** "and/or" is no file; `src/api/limit.ts` is one to be made, and so is what is to lie in a folder that is there. */
function isNew(path: string, isCode: boolean, index: FileIndex): boolean {
  const folder = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
  const top = path.slice(0, Math.max(path.indexOf("/"), 0));
  const isFile = /\.[A-Za-z][A-Za-z0-9]{0,9}$/.test(path);
  return index.isFolder(folder) ? isFile || isCode : isFile && (isCode || index.isFolder(top));
}

const FILLER =
  "(?:any(?:thing|\\s+files?)?|everything|all|files?|code|the|of|to|in|under|inside|below|within|\\s)*";
const CHANGE =
  "(?:touch|touching|edit|editing|edits?|modify|modifying|change|changing|changes|alter|altering|writ(?:e|ing)|rewriting)";
const AVOID = new RegExp(
  `(?:\\b(?:do|does|must|should|shall|may|can)(?:n'?t| not|not)|\\b(?:never|without|avoid|not|no))\\s+(?:be\\s+)?${CHANGE}\\s*${FILLER}$`,
  "i",
);
const LEAVE = /\b(?:leave|keep)\s+(?:the\s+|all\s+|of\s+)*$/i;
const LEFT = /^\s*(?:\S+\s+){0,3}?(?:alone|untouched|unchanged|as (?:it|they|is|are)|intact)\b/i;
const ONLY = new RegExp(
  `\\bonly\\s+(?:(?:touch|change|edit|modify|work|write|do)\\s*)?(?:in|on|to|\\s)*${FILLER}$`,
  "i",
);
const REFERENCE =
  /\b(?:see|like|from|per|via|using|use|cf\.?|as in|similar to|based on|according to|read|reading|follow|following)\s+(?:the\s+)?(?:\w+\s+)?(?:in\s+|from\s+|of\s+)?$/i;

function roleOf(around: { readonly before: string; readonly after: string }): PathRole {
  const before = around.before.slice(-120);
  const { after } = around;
  if (AVOID.test(before) || (LEAVE.test(before) && LEFT.test(after))) return "avoid";
  if (
    /^\s+(?:must|should|may|shall)(?:n'?t| not|not) (?:be )?(?:touched|changed|edited|modified|altered|change)\b/i.test(
      after,
    )
  )
    return "avoid";
  if (ONLY.test(before) || /^\s+only\b/i.test(after)) return "only";
  return REFERENCE.test(before) ? "reference" : "target";
}

/** The files that patterns match. */
export function filesOf(patterns: readonly string[], { files }: FileIndex): readonly PreparedPath[] {
  return patterns.length === 0 ? [] : candidates(patterns, files).filter(createPreparedMatcher(patterns));
}

/**
 * The files among which those that patterns match are: by the folders with which they begin, so that a look costs as much
 * as the part it is about and not as the repository. `files` is sorted by `wanted`.
 */
export function candidates(
  patterns: readonly string[],
  files: readonly PreparedPath[],
): readonly PreparedPath[] {
  const folders = new Set<string>();
  for (const pattern of patterns)
    for (const { negative, literal: exact, directory, prefix } of parsePattern(pattern))
      if (!negative) folders.add(exact ?? directory ?? prefix);
  if (folders.has("")) return files;
  const outer = [...folders].filter((folder) => !isBelowAnother(folder, folders)).sort();
  return outer.flatMap((folder) => {
    const exact = files[lowerBound(files, folder)];
    const own = exact?.wanted === folder ? [exact] : [];
    return [...own, ...files.slice(lowerBound(files, `${folder}/`), lowerBound(files, `${folder}0`))];
  });
}

function isBelowAnother(folder: string, folders: ReadonlySet<string>): boolean {
  for (let slash = folder.lastIndexOf("/"); slash > 0; slash = folder.lastIndexOf("/", slash - 1))
    if (folders.has(folder.slice(0, slash))) return true;
  return false;
}

/** The first position whose path is not smaller. `0` comes right after `/`. */
function lowerBound(files: readonly PreparedPath[], path: string): number {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((files[middle]?.wanted ?? "") < path) low = middle + 1;
    else high = middle;
  }
  return low;
}
