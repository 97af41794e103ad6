/**
 * Whether two sides' changes since a common start can simply be put together: then the merged tree is what
 * `git merge-tree` would make. Where it might look further (content, renames, files against directories) the answer is no.
 */
import type { RawPath } from "./bytes.ts";
import type { TreeDifference } from "./trees.ts";

/** What one side changed. Changes add up; one too many only makes a "no" likelier. */
export interface Side {
  readonly paths: ReadonlySet<RawPath>;
  /** Directories above `paths`, the top left out. */
  readonly above: ReadonlySet<RawPath>;
  /** Directories above added and above deleted files, the top left out. */
  readonly aboveAdded: ReadonlySet<RawPath>;
  readonly aboveDeleted: ReadonlySet<RawPath>;
  /** A file is gone and another is new: it may be a rename. */
  readonly mayRename: boolean;
  add(changes: readonly TreeDifference[]): void;
}

export function createSide(): Side {
  const paths = new Set<RawPath>();
  const above = new Set<RawPath>();
  const aboveAdded = new Set<RawPath>();
  const aboveDeleted = new Set<RawPath>();
  let added = false;
  let deleted = false;
  return {
    paths,
    above,
    aboveAdded,
    aboveDeleted,
    get mayRename() {
      return added && deleted;
    },
    add(changes) {
      for (const { path, before, after } of changes) {
        paths.add(path);
        if (before === null) added = true;
        if (after === null) deleted = true;
        for (const directory of directoriesOf(path)) {
          above.add(directory);
          if (before === null) aboveAdded.add(directory);
          if (after === null) aboveDeleted.add(directory);
        }
      }
    },
  };
}

/** True when these changes cannot just be put beside what the other side changed. */
export function clash(changes: readonly TreeDifference[], other: Side): boolean {
  if (changes.some((change) => SUBMODULE.has(change.before?.mode) || SUBMODULE.has(change.after?.mode)))
    return true;
  for (const { path } of changes) {
    if (other.paths.has(path) || other.above.has(path)) return true;
    if (directoriesOf(path).some((directory) => other.paths.has(directory))) return true;
  }
  const mine = createSide();
  mine.add(changes);
  return movesUnder(mine, other) || movesUnder(other, mine);
}

const SUBMODULE: ReadonlySet<string | undefined> = new Set(["160000"]);

/**
 * Git guesses that a directory was renamed from the renames of its files, and moves what the other side added there. A
 * rename of a file the other side changed needs no look here: both sides changed that path.
 */
function movesUnder(renaming: Side, adding: Side): boolean {
  if (!renaming.mayRename) return false;
  for (const directory of adding.aboveAdded) if (renaming.aboveDeleted.has(directory)) return true;
  return false;
}

function directoriesOf(path: RawPath): RawPath[] {
  const found: RawPath[] = [];
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}
