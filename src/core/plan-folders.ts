/** A repository in a few lines: its folders, and how much is in each. */
import type { FileIndex } from "./plan-paths.ts";

const MOST_LINES = 120;

/** Folders two deep, and how many files lie below each; the largest first. */
export function folderLines({ files }: FileIndex): readonly string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    const names = path.split("/");
    const folder = names.length === 1 ? path : `${names.slice(0, Math.min(2, names.length - 1)).join("/")}/`;
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const lines = sorted
    .slice(0, MOST_LINES)
    .map(([folder, count]) =>
      folder.endsWith("/") ? `${folder} (${count} file${count === 1 ? "" : "s"})` : folder,
    );
  return sorted.length > MOST_LINES ? [...lines, `… and ${sorted.length - MOST_LINES} more`] : lines;
}
