/** When a person must agree before a subtask begins, whoever planned it. */
import { createPreparedMatcher, preparePath } from "./ownership.ts";
import { parsePattern } from "./glob.ts";
import { candidates, type FileIndex } from "./plan-paths.ts";
import { isProtected } from "./paths.ts";

const SHOWN = 3;

/** Files that become instructions or code for others are changed only when a person says so; null: it may change none. */
export function protectedReason(allowed: readonly string[], { files }: FileIndex): string | null {
  const named = allowed.filter(namesProtected);
  if (named.length === 0) return null;
  const matches = createPreparedMatcher(allowed);
  const there = candidates(named, files).filter((file) => file.guarded && matches(file));
  const made = named.flatMap((pattern) => preparePath(pattern.replace(/\/\*\*$/, "")) ?? []).filter(matches);
  const paths = [...new Set([...there, ...made].map(({ path }) => path))];
  if (paths.length === 0) return null;
  const more = paths.length > SHOWN ? ", …" : "";
  return `It may change ${paths.slice(0, SHOWN).join(", ")}${more}, which others obey.`;
}

/** A wildcard gives no protected file away, so only a pattern that names one is looked at. */
function namesProtected(pattern: string): boolean {
  return parsePattern(pattern).some(
    ({ negative, named }) => !negative && named !== null && isProtected(named),
  );
}
