/** A rework that settles a conflict must have what both sides did, or say by name what it leaves out. */
import type { MergeEntry } from "../core/merging.ts";
import type { Dropped, LeftMarker, Waiver } from "../core/resolution.ts";
import type { Landing } from "./merge-land.ts";
import { aboutEntry, setBack, settle, SETTLED } from "./merge-settle.ts";

/** Sets those back that dropped something; true when there were any. */
export async function refuseDropped(
  landing: Landing,
  ready: readonly MergeEntry[],
  entries: readonly MergeEntry[],
): Promise<boolean> {
  const { engine, writer, start } = landing;
  let refused = false;
  for (const entry of ready) {
    const pairs = conflictsBehind(landing, entry, entries);
    if (pairs.length === 0 || landing.passed.has(entry.subtask_id)) continue;
    // A person settled it, under the same rule: what is left out was waived by name.
    if (entry.reason?.code === SETTLED) continue;
    const waived = await waivedBy(landing, entry);
    const desk = await engine.repo.conflictDesk();
    const lost: (Dropped | LeftMarker)[] = [];
    for (const { onto, commit, conflicts } of pairs) {
      const paths = conflicts.map(({ path }) => path);
      const pair = { onto: onto ?? start, commit };
      const found = await desk.check({ ...pair, resolved: entry.commit, waived, paths });
      lost.push(...found.dropped, ...found.markers);
    }
    if (lost.length === 0) {
      landing.passed.add(entry.subtask_id);
      if (waived.length > 0) await tellWaived(landing, entry, waived);
      continue;
    }
    const message = `Its resolution is refused: ${lost.slice(0, 10).map(words).join("; ")}${lost.length > 10 ? `; and ${lost.length - 10} more` : ""}.`;
    const onto = (await writer.desk.tip(entry.target)) ?? start;
    const reason = { code: "side_dropped", message };
    await setBack(landing, entry, { reason, conflicts: [], verification: null }, onto);
    refused = true;
  }
  return refused;
}

/** What it was to settle; of one that was sent back for what it dropped also what that one was to settle. */
function conflictsBehind(
  { subtasks }: Landing,
  entry: MergeEntry,
  entries: readonly MergeEntry[],
): readonly MergeEntry[] {
  const found: MergeEntry[] = [];
  for (let id = entry.subtask_id; ; ) {
    const before = subtasks.find((each) => each.subtask_id === id)?.supersedes;
    const earlier = entries.find((each) => each.subtask_id === before);
    const code = earlier?.reason?.code;
    if (earlier?.state === "rework") {
      if (earlier.conflicts.length > 0) found.push(earlier);
      if (code !== "side_dropped") return found;
    } else if (!earlier || !FAILED_REWORK.has(code ?? "")) return found;
    id = earlier.subtask_id;
  }
}

/** A rework with such an end settled nothing: one that a person has tried again in its place is to settle it. */
const FAILED_REWORK: ReadonlySet<string> = new Set(["rework_failed", "out_of_scope"]);

const MOST_WAIVERS = 200;

/** `Waive PATH: ours`, `Waive PATH: theirs` or `Waive PATH: the exact line`, one a line, in its last answer. */
async function waivedBy({ engine, task }: Landing, entry: MergeEntry): Promise<readonly Waiver[]> {
  const outcomes = await engine.store.outcomes(task.task_id);
  const summary = outcomes.find(({ subtask_id }) => subtask_id === entry.subtask_id)?.summary ?? "";
  return readWaivers(summary);
}

export function readWaivers(text: string): readonly Waiver[] {
  const found: Waiver[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, path = "", what = ""] = /^\s*(?:[-*]\s+)?`?Waive ([^:]+): ?(.*?)`?\s*$/.exec(line) ?? [];
    if (path === "" || found.length === MOST_WAIVERS) continue;
    if (what === "ours" || what === "theirs") found.push({ path, side: what });
    else found.push({ path, line: what });
  }
  return found;
}

async function tellWaived(landing: Landing, entry: MergeEntry, waived: readonly Waiver[]): Promise<void> {
  const what = waived.map(({ path, side, line }) => `${path}: ${side ?? JSON.stringify(line)}`);
  const message = landing.engine.redact(
    `${entry.agent} waived in the conflicts of ${entry.branch}: ${what.join("; ")}.`,
  );
  await settle(landing, [], [{ event: "notice", ...aboutEntry(landing, entry), code: "waived", message }]);
}

/** What is lacking, in words. */
export function words(one: Dropped | LeftMarker): string {
  const { path, line, text } = one;
  if (!("change" in one)) return `the marker \`${text.slice(0, 40)}\` is still in ${path}, line ${line}`;
  const side = one.side === "ours" ? "the target" : "the branch";
  const shown = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  switch (one.change) {
    case "added":
      return `${path} lacks what ${side} added: \`${shown}\``;
    case "removed":
      return `${path} has again what ${side} removed: \`${shown}\``;
    case "moved":
      return `${path} has the order of lines that ${side} changed: \`${shown}\``;
    case "mode":
      return `${path} lacks the mode of ${side} (${shown})`;
    case "file":
      return `${path} is not as ${side} has it`;
  }
}
