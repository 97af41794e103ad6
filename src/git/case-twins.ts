/**
 * Two names that differ only in case (or in how an accent is composed) are one file on macOS and Windows: whoever checks
 * them out there loses one of the two.
 */
import { lossyText, type RawPath } from "./bytes.ts";

/** Why such a name is refused, to end a sentence. */
export const TWINS = "macOS and Windows cannot hold both";

export interface Names {
  /** Names in a directory (the empty path: the top), also of what is gone; null when there is no such directory. */
  in(directory: RawPath): Promise<Iterable<RawPath> | null> | Iterable<RawPath> | null;
  /** Is there a file at the path, or below it? */
  alive(path: RawPath): Promise<boolean> | boolean;
}

/**
 * The path of a file or directory that such a file system takes for `path` or a directory above it; null when there is none.
 * A path whose own directories exist already adds none of them.
 */
export async function caseTwin(path: RawPath, names: Names): Promise<RawPath | null> {
  let prefix = "";
  for (const name of path.split("/")) {
    const siblings = await names.in(prefix);
    if (siblings === null) return null;
    const folded = fold(name);
    const twins: RawPath[] = [];
    let here = false;
    for (const sibling of siblings) {
      if (sibling === name) here = true;
      else if (sibling.length === name.length || !ASCII.test(sibling) || !ASCII.test(name)) {
        if (fold(sibling) === folded) twins.push(sibling);
      }
    }
    here &&= await names.alive(prefix + name);
    if (!here) for (const twin of twins) if (await names.alive(prefix + twin)) return prefix + twin;
    prefix += `${name}/`;
  }
  return null;
}

// eslint-disable-next-line no-control-regex -- this is exactly the ASCII range
const ASCII = /^[\u0000-\u007f]*$/;

function fold(name: RawPath): string {
  return (ASCII.test(name) ? name : lossyText(name).normalize("NFC")).toLowerCase();
}

/** Names of a list of files that are all there; more may be added. */
export function createNames(files: Iterable<RawPath>): Names & { add(path: RawPath): void } {
  const directories = new Map<RawPath, Set<RawPath>>();
  const add = (path: RawPath): void => {
    for (let end = path.length; ; ) {
      const slash = path.lastIndexOf("/", end - 1);
      const directory = path.slice(0, slash < 0 ? 0 : slash + 1);
      const names = directories.get(directory);
      const name = path.slice(slash + 1, end);
      if (names?.has(name) === true) return;
      if (names === undefined) directories.set(directory, new Set([name]));
      else names.add(name);
      if (slash < 0) return;
      end = slash;
    }
  };
  for (const file of files) add(file);
  return { add, in: (directory) => directories.get(directory) ?? null, alive: () => true };
}
