/**
 * May a tool use this path? (SAFETY "File paths for tools".) Every component is looked at through the caller's view of
 * the files, at the time of use; without one only the text is judged.
 */
import { PATH_CODES, type PathCode } from "./errors.ts";
import { createMatcher } from "./ownership.ts";
import { isDeviceName, isProtected, normalisePath, type PathProblem, pathProblem } from "./paths.ts";
import { quoted } from "./text.ts";
import { belowRoot, isForeign, type PathFs, walkPath, walkProblem as problem } from "./walk-path.ts";

export type { PathFs } from "./walk-path.ts";

export type PathOp = "read" | "write" | "delete" | "list" | "mkdir" | "rename_to" | "create_symlink";

export interface PathOptions {
  readonly root: string;
  /** The agent's patterns; without them nothing protected may be changed, and everything else may. */
  readonly owns?: readonly string[];
  readonly fs?: PathFs;
  /** Of `create_symlink`: where the new link will point. */
  readonly target?: string;
}

export interface PathVerdict {
  readonly allowed: boolean;
  readonly code: PathCode;
  readonly reason: string;
}

/** Files beyond this are not read as text. */
const MAX_TEXT_BYTES = 10_485_760;

const LOOKS: ReadonlySet<PathOp> = new Set<PathOp>(["read", "list"]);
/** These act on the name itself; the others on what a final symlink points to. */
const OPERATIONS: ReadonlySet<string> = new Set<PathOp>([
  "read",
  "write",
  "delete",
  "list",
  "mkdir",
  "rename_to",
  "create_symlink",
]);
const ON_NAME: ReadonlySet<PathOp> = new Set<PathOp>(["delete", "rename_to", "create_symlink"]);
const MAKES_NAME: ReadonlySet<PathOp> = new Set<PathOp>(["write", "mkdir", "rename_to", "create_symlink"]);

export function checkPath(op: PathOp, path: string, options: PathOptions): PathVerdict {
  // What plain JavaScript hands over need not be of these types.
  if (!OPERATIONS.has(op))
    return refused({ code: "unknown_operation", reason: `${quoted(String(op))} is no operation on a path.` });
  if (typeof path !== "string") return refused({ code: "empty", reason: "The path is no text." });
  const atRoot = op === "list" && /^(?:\.?\/?|(?:\.\/)+\.?)$/.test(path) && path !== "" && path !== "/";
  if (atRoot) return ALLOWED;
  const problem = pathProblem(path) ?? nameProblem(op, path);
  if (problem !== null) return refused(problem);
  const wanted = normalisePath(path);
  const seen = options.fs === undefined ? { path: wanted } : lookUp(op, wanted, options.fs, options);
  if ("code" in seen) return refused(seen);
  const places = seen.path === wanted ? [wanted] : [wanted, seen.path];
  for (const place of places) {
    if (place === "" && LOOKS.has(op)) continue;
    const found =
      pathProblem(place) ??
      nameProblem(op, place) ??
      (LOOKS.has(op) ? null : scopeProblem(place, options.owns));
    if (found !== null) return refused(found);
  }
  return ALLOWED;
}

const ALLOWED: PathVerdict = { allowed: true, code: "ok", reason: PATH_CODES.ok };

function refused({ code, reason }: PathProblem): PathVerdict {
  return { allowed: false, code, reason };
}

function nameProblem(op: PathOp, path: string): PathProblem | null {
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (isDeviceName(name))
      return problem("device_name", path, `names a device (${quoted(name)}) on Windows`);
    if (MAKES_NAME.has(op) && /[. ]$/.test(name)) {
      return problem("trailing_dot", path, "has a name that ends with a dot or a blank");
    }
  }
  return null;
}

function scopeProblem(path: string, owns: readonly string[] | undefined): PathProblem | null {
  if (owns !== undefined && createMatcher(owns)(path)) return null;
  if (isProtected(path)) {
    return problem(
      "protected",
      path,
      "becomes instructions or code for others; only a literal pattern that names it owns it",
    );
  }
  return owns === undefined
    ? null
    : problem("out_of_scope", path, `is outside the allowed paths (${owns.join(", ") || "none"})`);
}

/** Where the path leads, every symlink on the way followed as the kernel would; or why it must not. */
function lookUp(op: PathOp, path: string, fs: PathFs, options: PathOptions): { path: string } | PathProblem {
  try {
    const found = walkPath(path, {
      root: options.root.replace(/\/+$/, ""),
      fs,
      followLast: !ON_NAME.has(op),
    });
    if ("code" in found) return found;
    const entry = fs.lstat(`${options.root.replace(/\/+$/, "")}/${found.path}`);
    if (op === "create_symlink")
      return linkTarget(found.path, entry?.kind === "symlink", fs, options) ?? found;
    if (entry === null || ON_NAME.has(op) || entry.kind !== "file") return found;
    if ((entry.nlink ?? 1) > 1)
      return problem("hard_link", path, "has another name, which may be outside the root");
    if (op === "read" && (entry.size ?? 0) > MAX_TEXT_BYTES) {
      return problem("too_large", path, `is larger than ${MAX_TEXT_BYTES} bytes`);
    }
    return found;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return problem("unreadable", path, `cannot be looked at: ${why}`);
  }
}

/** A new link, or one that stands there already, must point inside. */
function linkTarget(path: string, exists: boolean, fs: PathFs, options: PathOptions): PathProblem | null {
  const root = options.root.replace(/\/+$/, "");
  const target = options.target ?? (exists ? fs.readlink(`${root}/${path}`) : undefined);
  if (target === undefined) return null;
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const inside = target.startsWith("/") ? belowRoot(target, root) : folder + target;
  if (inside === null || isForeign(target))
    return problem("symlink_outside", path, `would point outside, to ${quoted(target)}`);
  const found = walkPath(inside, { root, fs, followLast: true });
  if ("code" in found) return found;
  return found.path === "" ? null : pathProblem(found.path);
}
