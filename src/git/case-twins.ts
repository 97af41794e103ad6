/**
 * Two names that differ only in case (or in how an accent is composed) are one file on macOS and Windows: whoever checks
 * them out there loses one of the two.
 */
import { lossyText, type RawPath } from "./bytes.ts";

export interface Names {
  /**
   * Names in a directory (with its slash; the empty path: the top) that fold to the same as `name`, itself too where it is
   * there; some may be gone. Null when there is no such directory.
   */
  like(directory: RawPath, name: RawPath): Promise<readonly RawPath[] | null> | readonly RawPath[] | null;
  /** Is there a file at the path, or below it? */
  alive(path: RawPath): Promise<boolean> | boolean;
}

/** Why such a name is refused, to end a sentence. */
export const TWINS = "macOS and Windows cannot hold both";

/**
 * The file or directory that such a file system takes for `path` or for a directory above it; null when there is none. Where
 * a name is there already, it adds no twin to those it may have.
 */
export async function caseTwin(path: RawPath, names: Names): Promise<RawPath | null> {
  let prefix = "";
  for (const name of path.split("/")) {
    const similar = await names.like(prefix, name);
    if (similar === null) return null;
    const here = similar.includes(name) && (await names.alive(prefix + name));
    if (!here) {
      for (const twin of similar)
        if (twin !== name && (await names.alive(prefix + twin))) return prefix + twin;
      return null;
    }
    prefix += `${name}/`;
  }
  return null;
}

// eslint-disable-next-line no-control-regex -- this is exactly the ASCII range
const ASCII = /^[\u0000-\u007f]*$/;

function fold(name: RawPath): string {
  return (ASCII.test(name) ? name : lossyText(name).normalize("NFC")).toLowerCase();
}

/** Names by what they fold to. */
export interface FoldedNames {
  add(name: RawPath): void;
  like(name: RawPath): readonly RawPath[];
}

export function foldedNames(names: Iterable<RawPath>): FoldedNames {
  const found = new Map<string, RawPath[]>();
  const add = (name: RawPath): void => {
    const key = fold(name);
    const same = found.get(key);
    if (same === undefined) found.set(key, [name]);
    else if (!same.includes(name)) same.push(name);
  };
  for (const name of names) add(name);
  return { add, like: (name) => found.get(fold(name)) ?? [] };
}

/** Names of a list of files that are all there; more may be added. */
export function createNames(files: Iterable<RawPath>): Names & { add(path: RawPath): void } {
  const directories = new Map<RawPath, Set<RawPath>>();
  const folded = new Map<RawPath, FoldedNames>();
  const add = (path: RawPath): void => {
    for (let end = path.length; ; ) {
      const slash = path.lastIndexOf("/", end - 1);
      const directory = path.slice(0, slash + 1);
      const names = directories.get(directory);
      const name = path.slice(slash + 1, end);
      if (names?.has(name) === true) return;
      folded.get(directory)?.add(name);
      if (names === undefined) directories.set(directory, new Set([name]));
      else names.add(name);
      if (slash < 0) return;
      end = slash;
    }
  };
  for (const file of files) add(file);
  return {
    add,
    like(directory, name) {
      const names = directories.get(directory);
      if (names === undefined) return null;
      // Folded when somebody asks: a list of many files has few directories that get new ones.
      const known = folded.get(directory) ?? foldedNames(names);
      folded.set(directory, known);
      return known.like(name);
    },
    alive: () => true,
  };
}
