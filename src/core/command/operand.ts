/** Path operands: where the kernel would look for them, and that this is inside, not Git's and not secret. */
import type { CommandCode } from "../errors.ts";
import { foldName, isGitDirectory } from "../paths.ts";
import { byteLength, quoted } from "../text.ts";
import { belowRoot, type PathFs, walkPath } from "../walk-path.ts";

export interface Refusal {
  readonly code: CommandCode;
  /** A whole sentence. */
  readonly reason: string;
}

export interface Place {
  /** Without a trailing slash. */
  readonly root: string;
  /** The working directory below the root; `""` is the root. */
  readonly cwd: string;
  readonly fs?: PathFs | undefined;
}

const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

/**
 * Must hold however the program reads it: as the kernel does (each symlink, `..` after it) and as those do that take
 * `..` away from the text first.
 */
export function checkOperand(path: string, place: Place): Refusal | null {
  const no = (code: CommandCode, why: string): Refusal => ({
    code,
    reason: `The path ${quoted(path)} ${why}.`,
  });
  if (path === "") return no("empty", "is empty");
  if (path.includes("\\")) return no("backslash", "contains a backslash");
  if (/^[A-Za-z]:/.test(path)) return no("absolute", "begins with a drive letter");
  if (byteLength(path) > MAX_PATH_BYTES) return no("too_long", `has more than ${MAX_PATH_BYTES} bytes`);
  const absolute = path.startsWith("/");
  const below = absolute ? belowRoot(path, place.root) : place.cwd === "" ? path : `${place.cwd}/${path}`;
  if (below === null) return no("absolute", "is absolute and not below the root");
  const names = below.split("/");
  const bad = namesProblem(names, path);
  if (bad !== null) return bad;
  const plain = withoutDots(names);
  if (plain === null) return no("traversal", "leads out of the root");
  if (place.fs === undefined) return null;
  const readings = names.includes("..") ? [below, plain.join("/")] : [below];
  for (const reading of readings) {
    const found = lookUp(reading, place.root, place.fs, path);
    if (found !== null) return found;
  }
  return null;
}

/** True for a directory, and when nobody can tell. */
export function mayBeDirectory(path: string, place: Place): boolean {
  const kind = kindOnDisk(path, place);
  return kind === "directory" || kind === "unknown";
}

/** What stands there, a last symlink followed. */
export function kindOnDisk(path: string, place: Place): "file" | "directory" | "missing" | "unknown" {
  const { root, cwd, fs } = place;
  const below = path.startsWith("/") ? belowRoot(path, root) : `${cwd}/${path}`;
  if (fs === undefined || below === null) return "unknown";
  try {
    const found = walkPath(below, { root, fs, followLast: true });
    if ("code" in found) return "unknown";
    if (found.path === "") return "directory";
    const kind = fs.lstat(`${root}/${found.path}`)?.kind ?? "missing";
    return kind === "symlink" || kind === "other" ? "unknown" : kind;
  } catch {
    return "unknown";
  }
}

const MAX_LOOKS = 50_000;

/** The same files, as long as a line does not make anybody look without end. */
export function limitLooks(fs: PathFs): PathFs {
  let left = MAX_LOOKS;
  return {
    lstat(path) {
      if (left-- <= 0) throw new Error("the line's paths take too many steps");
      return fs.lstat(path);
    },
    readlink: (path) => fs.readlink(path),
  };
}

/** The names of a path that no file system is asked about, such as `HEAD:src/a.ts`. */
export function checkNames(path: string): Refusal | null {
  const names = path.split("/");
  const bad = namesProblem(names, path);
  if (bad !== null) return bad;
  if (withoutDots(names) !== null) return null;
  return { code: "traversal", reason: `The path ${quoted(path)} leads out of the root.` };
}

function lookUp(path: string, root: string, fs: PathFs, shown: string): Refusal | null {
  try {
    const found = walkPath(path, { root, fs, followLast: true });
    if ("code" in found) return { code: walkCode(found.code), reason: found.reason };
    return namesProblem(found.path.split("/"), shown);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { code: "unreadable", reason: `The path ${quoted(shown)} cannot be looked at: ${why}.` };
  }
}

function walkCode(code: string): CommandCode {
  if (code === "symlink_loop" || code === "special_file") return code;
  return "symlink_outside";
}

function namesProblem(names: readonly string[], path: string): Refusal | null {
  for (const name of names) {
    if (name === "" || name === "." || name === "..") continue;
    const no = (code: CommandCode, why: string): Refusal => ({
      code,
      reason: `The path ${quoted(path)} ${why}.`,
    });
    if (isGitDirectory(name)) return no("git_directory", "leads into Git's own directory");
    if (isSecretName(name)) return no("secret_file", `names secrets (${quoted(name)})`);
    if (byteLength(name) > MAX_NAME_BYTES)
      return no("too_long", `has a name of more than ${MAX_NAME_BYTES} bytes`);
  }
  return null;
}

/** `.env` and whatever begins like it, in any case and spelling, except `.example`, `.sample` and `.template`. */
export function isSecretName(name: string): boolean {
  const folded = foldName(name);
  if (/^env~[0-9]$/.test(folded)) return true;
  return folded.startsWith(".env") && !EXAMPLE.test(folded);
}

const EXAMPLE = /\.(?:example|sample|template)$/;

/** `.env.example` and its like: named like secrets, and none. */
export function isExampleName(name: string): boolean {
  const folded = foldName(name);
  return folded.startsWith(".env") && EXAMPLE.test(folded);
}

/** The names with each `..` taken away from the text alone; null when that leads out. */
function withoutDots(names: readonly string[]): readonly string[] | null {
  const kept: string[] = [];
  for (const name of names) {
    if (name === "" || name === ".") continue;
    if (name !== "..") kept.push(name);
    else if (kept.pop() === undefined) return null;
  }
  return kept;
}

export function refuseWord(word: string, why: string): Refusal {
  return { code: "operand", reason: `The argument ${quoted(word)} ${why}.` };
}
