/**
 * Paths inside a repository: what a text may address, and in which form (SAFETY "Ownership", "File paths for tools").
 * Lexical only; {@link file://./check-path.ts} adds symlinks and scope.
 */
import { OxbowError, type PathCode } from "./errors.ts";
import { byteLength, quoted } from "./text.ts";

const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4096;

export interface PathProblem {
  readonly code: PathCode;
  readonly reason: string;
}

/**
 * A repository-relative POSIX path without `.` segments and doubled or trailing slashes. The bytes of each name are kept
 * (a file stored in NFD stays reachable under its own name). Throws path_rejected.
 */
export function normalisePath(path: string): string {
  const problem = pathProblem(path);
  if (problem !== null)
    throw new OxbowError("path_rejected", problem.reason, { details: { path, ...problem } });
  return joined(path);
}

/** The form in which a path is compared with patterns: normalised, and in NFC. Throws path_rejected. */
export function ownershipPath(path: string): string {
  if (isPlain(path)) return path;
  return normalisePath(path).normalize("NFC");
}

/** The everyday path: ASCII names that begin with a letter, digit, dash or underscore. None of the rules below can hit it. */
const PLAIN = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.@+-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.@+-]*$/;

function isPlain(path: string): boolean {
  return path.length <= MAX_NAME_BYTES && PLAIN.test(path);
}

/** Why a text is not a path inside the repository, or null. */
export function pathProblem(path: string): PathProblem | null {
  if (isPlain(path)) return null;
  const shown = quoted(path);
  const problem = (code: PathCode, why: string): PathProblem => ({
    code,
    reason: `The path ${shown} ${why}.`,
  });
  if (path.includes("\0")) return problem("nul", "contains a NUL byte");
  if (/\p{Cc}/u.test(path)) return problem("control_character", "contains a control character");
  if (!path.isWellFormed()) return problem("invalid_unicode", "is not valid Unicode");
  if (path.includes("\\")) return problem("backslash", "contains a backslash; write forward slashes");
  if (path.startsWith("/"))
    return problem("absolute", "is absolute; paths are relative to the repository's root");
  if (/^[A-Za-z]:/.test(path)) return problem("absolute", "begins with a drive letter");
  if (byteLength(path) > MAX_PATH_BYTES) return problem("too_long", `has more than ${MAX_PATH_BYTES} bytes`);
  let names = 0;
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    names++;
    if (/^[. ]+$/.test(name)) return problem("traversal", "leads out of its directory");
    if (isGitDirectory(name)) return problem("git_directory", "leads into Git's own directory");
    if (byteLength(name) > MAX_NAME_BYTES) {
      return problem("too_long", `has a name of more than ${MAX_NAME_BYTES} bytes`);
    }
  }
  return names === 0 ? problem("empty", "is empty") : null;
}

function joined(path: string): string {
  if (!/^\.\/|\/\.?\/|\/\.?$/.test(path)) return path;
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .join("/");
}

/** `.git` as Git, HFS+ or NTFS would fold it: case, `git~1`, ignorable characters, trailing dots and blanks, streams. */
export function isGitDirectory(name: string): boolean {
  if (!/[.g\u0080-\u{10FFFF}]/iu.test(name)) return false;
  const folded = foldName(name);
  return folded === ".git" || folded === "git~1";
}

/** One name as the most forgetful file system sees it; wider than any real one, so that look-alikes are caught too. */
export function foldName(name: string): string {
  const [stem = ""] = name
    .normalize("NFKC")
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .split(":", 1);
  return stem
    .replace(/[. ]+$/, "")
    .toUpperCase()
    .toLowerCase();
}

/** `CON`, `nul.txt`, `com1`: a device wherever Windows opens it. */
export function isDeviceName(name: string): boolean {
  const [stem = ""] = foldName(name).split(".", 1);
  return /^(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$|clock\$)$/.test(stem.trimEnd());
}

const PROTECTED_NAMES = new Set([
  ".gitattributes",
  ".gitmodules",
  ".npmrc",
  ".mcp.json",
  ".claude",
  ".codex",
  "agents.md",
  "claude.md",
  ...["ts", "mts", "cts", "js", "mjs", "cjs"].map((ending) => `oxbow.plugin.${ending}`),
]);
/** Read only at the top of a repository. */
const PROTECTED_AT_TOP = new Set([".github", "team.yaml"]);

/** What every protected path contains when it is ASCII; most paths do not. */
const NEAR_PROTECTED = /\.(?:git|npmrc|mcp|claude|codex)|agents|claude|team|oxbow/i;

/**
 * True for files that become instructions or code for others (`.github/**`, `.npmrc`, `AGENTS.md`, `team.yaml` …). Tools
 * read most of them in every directory, so they are protected in every directory, in any case.
 */
export function isProtected(path: string): boolean {
  if (!/[^ -~]/.test(path) && !NEAR_PROTECTED.test(path)) return false;
  let top = true;
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    const folded = foldName(name);
    if (PROTECTED_NAMES.has(folded) || (top && PROTECTED_AT_TOP.has(folded))) return true;
    top = false;
  }
  return false;
}
