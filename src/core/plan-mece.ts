/** Whether the parts of a plan are exclusive, and cover what the task is about, on the real files. */
import { createPreparedMatcher, type PreparedPath } from "./ownership.ts";
import { type FileList, type Plan, PLAN_LIMITS, type PlanOverlap, type PlanSubtask } from "./plan.ts";
import { candidates, type FileIndex, filesOf } from "./plan-paths.ts";

type Part = Pick<PlanSubtask, "id" | "allowed_paths">;

/**
 * Files that several subtasks may write, by who they are, and files of the scope that none may. Each list names 20 files
 * at most and counts them all. Throws team_config for a malformed pattern.
 */
export function meceOf(parts: readonly Part[], scope: readonly string[], index: FileIndex): Plan["mece"] {
  const takers = takersOf(parts, index);
  const groups = new Map<string, { files: PreparedPath[]; parts: readonly number[] }>();
  for (const [file, numbers] of takers) {
    if (numbers.length < 2) continue;
    const key = numbers.join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { files: [file], parts: numbers });
    else group.files.push(file);
  }
  const overlaps = [...groups.values()].map(
    ({ files, parts: numbers }): PlanOverlap => ({
      ...listed(files),
      subtasks: numbers.map((at) => parts[at]?.id ?? ""),
    }),
  );
  return {
    overlaps: overlaps.sort((a, b) => b.total - a.total).slice(0, PLAN_LIMITS.overlaps),
    leftovers: listed(filesOf(scope, index).filter((file) => !takers.has(file))),
  };
}

/** By file, the positions of the parts that may write it, rising. */
function takersOf(
  parts: readonly Part[],
  { files }: FileIndex,
): ReadonlyMap<PreparedPath, readonly number[]> {
  const takers = new Map<PreparedPath, number[]>();
  for (const [at, { allowed_paths }] of parts.entries()) {
    if (allowed_paths.length === 0) continue;
    const matches = createPreparedMatcher(allowed_paths);
    for (const file of candidates(allowed_paths, files)) {
      if (!matches(file)) continue;
      const numbers = takers.get(file);
      if (numbers === undefined) takers.set(file, [at]);
      else numbers.push(at);
    }
  }
  return takers;
}

function listed(files: readonly PreparedPath[]): FileList {
  return { files: files.slice(0, PLAN_LIMITS.files).map(({ path }) => path), total: files.length };
}

/** What a person should know of it, in a line each. */
export function meceNotices({ overlaps, leftovers }: Plan["mece"]): readonly string[] {
  const some = ({ files, total }: FileList) => files.slice(0, 3).join(", ") + (total > 3 ? ", …" : "");
  const count = (total: number) => `${total} file${total === 1 ? "" : "s"}`;
  const told = overlaps
    .slice(0, 20)
    .map((each) => `${each.subtasks.join(" and ")} may both write ${count(each.total)} (${some(each)}).`);
  if (overlaps.length > 20) told.push(`… and ${overlaps.length - 20} more overlaps.`);
  if (leftovers.total > 0)
    told.push(
      `${count(leftovers.total)} of the scope ${leftovers.total === 1 ? "is" : "are"} nobody's part (${some(leftovers)}).`,
    );
  return told.map((line) =>
    line.length <= PLAN_LIMITS.line ? line : `${line.slice(0, PLAN_LIMITS.line - 1)}…`,
  );
}
