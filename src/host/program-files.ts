/**
 * What a program that is no part of the system (a version manager's Node, `~/.local/bin`, `/opt`) needs to see of the file
 * system to run, and nothing more. The rule: a folder on the PATH is there to be run from, so it may be read, with
 *  - `lib`, `lib64` and `libexec` beside a `bin`; the whole of it where it is a toolchain of its own (a venv, a JDK, Go,
 *    Homebrew, anything below /opt); what stands above a version manager's `shims`; the outermost `node_modules`;
 *  - where its symlinks lead, by the same rule.
 * Never a home folder itself, nor anything that holds a home or one of the folders in `apart`.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import path from "node:path";

/** `from` is the place on the disk, `to` the place in the sandbox. */
export interface Bind {
  readonly from: string;
  readonly to: string;
}

/** Shown in every sandbox: the system's programs and libraries. Some are symlinks into /usr. */
export const SYSTEM_FOLDERS = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] as const;
const STORES = ["/nix/store", "/gnu/store", "/snap"];
/** Found below the folder above a `bin`: all of that folder belongs to the program. */
const TOOLCHAINS = ["pyvenv.cfg", "lib/modules", "pkg/tool", "Cellar"];
const BESIDE_BIN = ["lib", "lib64", "libexec"];
const SCRIPTS = /\.(?:[cm]?[jt]s|py|rb|pl|sh|bash)$/;
const NEVER = ["/etc", "/proc", "/sys", "/dev", "/run", "/var", "/tmp", "/root", "/home"];
const MOST_ENTRIES = 2_000;
const MOST_BINDS = 300;

export interface ProgramSearch {
  /** The PATH that the programs get. */
  readonly path: string;
  /** The user's home. */
  readonly home: string | undefined;
  /** Folders of which nothing is shown: the repository's git dir, Oxbow's state. */
  readonly apart: readonly string[];
  /** Absolute paths a person named: programs, scripts, folders and files. */
  readonly named: readonly string[];
}

export function isBelow(file: string, folder: string): boolean {
  return file === folder || file.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function isSystem(file: string): boolean {
  return SYSTEM_FOLDERS.some((folder) => isBelow(file, folder));
}

/** Folders of the PATH that are no place for a program of the work tree to slip in: absolute, and not below `apart`. */
export function trustedPath(given: string, apart: readonly string[]): string {
  return given
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder) && !apart.some((one) => isBelow(realOrSame(folder), one)))
    .join(path.delimiter);
}

export type FoundProgram =
  | { readonly file: string }
  /** As the system would say it: ENOENT, EACCES. */
  | { readonly missing: "ENOENT" | "EACCES" };

/** Where a program is, as the system would find it. A name with a slash is taken as it is, from `cwd`. */
export function findProgram(name: string, searched: string, cwd: string): FoundProgram {
  if (name.includes("/")) return isProgram(path.resolve(cwd, name)) ?? { file: name };
  let missing: "ENOENT" | "EACCES" = "ENOENT";
  for (const folder of searched.split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    const problem = isProgram(file);
    if (problem === null) return { file };
    if (problem.missing === "EACCES") missing = "EACCES";
  }
  return { missing };
}

function isProgram(file: string): { missing: "ENOENT" | "EACCES" } | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return { missing: "ENOENT" };
  if (!stats.isFile()) return { missing: "EACCES" };
  return canExecute(file) ? null : { missing: "EACCES" };
}

function canExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // It answers by throwing.
    return false;
  }
}

export function programFiles({ path: searched, home, apart, named }: ProgramSearch): readonly Bind[] {
  const binds = new Map<string, string>();
  const seen = new Set<string>();
  const kept = [...NEVER, ...apart, ...(home === undefined ? [] : [realOrSame(home), home])];
  const shown = (file: string) =>
    isSystem(file) || [...binds].some(([to, from]) => to === from && isBelow(file, to));
  const isKept = (folder: string) => folder === "/" || kept.some((one) => isBelow(one, folder));

  const bind = (from: string, to = from): void => {
    if (binds.size < MOST_BINDS && !isKept(to) && !isKept(from) && !isSystem(to)) binds.set(to, from);
  };

  const addFolder = (folder: string): void => {
    const real = realOrNull(folder);
    if (real === null || seen.has(folder)) return;
    seen.add(folder);
    if (isKept(real) || apart.some((one) => isBelow(real, one))) return;
    if (real !== folder) bind(real, folder);
    if (isSystem(real)) return;
    bind(real);
    addAround(real);
    for (const entry of entriesOf(real)) {
      if (!entry.isSymbolicLink()) continue;
      const target = realOrNull(path.join(real, entry.name));
      if (target !== null && !shown(target)) addFile(target);
    }
  };

  const addAround = (bin: string): void => {
    const above = path.dirname(bin);
    const store = STORES.find((one) => isBelow(bin, one));
    const modules = modulesOf(bin);
    if (store !== undefined) bind(store);
    else if (modules !== null) bind(modules);
    else if (path.basename(bin) === "shims" || isToolchain(above)) bind(above);
    else if (isBin(bin)) {
      for (const name of BESIDE_BIN)
        if (existsSync(path.join(above, name)))
          bind(realOrSame(path.join(above, name)), path.join(above, name));
    }
  };

  /** A program, a script or a file of data, by its real path. */
  const addFile = (file: string): void => {
    if (shown(file) || seen.has(file)) return;
    seen.add(file);
    const folder = path.dirname(file);
    const store = STORES.find((one) => isBelow(file, one));
    const modules = modulesOf(file);
    if (store !== undefined) bind(store);
    else if (modules !== null) bind(modules);
    else if (isBin(folder) || path.basename(folder) === "shims") addFolder(folder);
    else if (SCRIPTS.test(file)) bind(folder);
    if (!shown(file)) bind(file);
    const interpreter = interpreterOf(file);
    if (interpreter !== null) addFile(interpreter);
  };

  for (const folder of searched.split(path.delimiter))
    if (path.isAbsolute(folder)) addFolder(path.resolve(folder));
  for (const one of named) {
    const real = realOrNull(one);
    if (real === null) continue;
    if (statSync(real).isDirectory()) bind(real);
    else addFile(real);
    if (real !== path.resolve(one) && !shown(one)) bind(real, path.resolve(one));
  }
  return [...binds].map(([to, from]) => ({ from, to }));
}

function isBin(folder: string): boolean {
  return path.basename(folder) === "bin" || path.basename(folder) === "sbin";
}

function isToolchain(folder: string): boolean {
  if (/^\/opt\/./.test(folder)) return true;
  return TOOLCHAINS.some((mark) => existsSync(path.join(folder, mark)));
}

/** The outermost `node_modules` a path leads through. */
function modulesOf(file: string): string | null {
  const at = file.indexOf("/node_modules/");
  return at < 0 ? null : file.slice(0, at + "/node_modules".length);
}

/** What a script's first line names; `env` finds its program on the PATH. */
function interpreterOf(file: string): string | null {
  const [, named] = /^#!\s*(\/\S+)/.exec(beginningOf(file)) ?? [];
  return named === undefined ? null : realOrNull(named);
}

function beginningOf(file: string): string {
  try {
    const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(256);
      return bytes.toString("latin1", 0, readSync(handle, bytes));
    } finally {
      closeSync(handle);
    }
  } catch {
    // One that may be run but not read names no interpreter we could know.
    return "";
  }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).slice(0, MOST_ENTRIES);
  } catch {
    // A folder that cannot be listed has no links to follow.
    return [];
  }
}

export function realOrNull(file: string): string | null {
  try {
    return realpathSync(file);
  } catch {
    // Nothing there (or not for us): nothing to show.
    return null;
  }
}

function realOrSame(file: string): string {
  return realOrNull(file) ?? file;
}
