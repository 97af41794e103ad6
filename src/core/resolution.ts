/**
 * Whether the resolution of a conflict honours both sides: each line that a side added is there, each line that it removed
 * is gone, unless that was given up by name. Lines are counted, so that they may stand anywhere in the file; what has no
 * lines (binary files, symlinks, submodules, a deletion) can only be taken whole, and the other side must be given up.
 */
import { createLineRules, type LineRules } from "./resolution-lines.ts";
import { withoutReturn } from "./text.ts";

export type ResolutionSide = "ours" | "theirs";

/** One version of a file. */
export interface FileVersion {
  /** As Git writes it: 100644, 100755, 120000 (symlink), 160000 (submodule). */
  readonly mode: string;
  /** Versions with one id have the same content. */
  readonly id: string;
  /** Null for content without lines: binary. */
  readonly text: string | null;
}

/** A path with its versions; null where there is none. */
export interface ResolvedFile {
  readonly path: string;
  readonly base: FileVersion | null;
  readonly ours: FileVersion | null;
  readonly theirs: FileVersion | null;
  readonly resolved: FileVersion | null;
}

/** A side is given up at a path and below it, or one line there (of either side unless one is named), by its exact text. */
export interface Waiver {
  readonly path: string;
  readonly side?: ResolutionSide | undefined;
  readonly line?: string | undefined;
}

/** `moved`: only the order was changed. `file`: the side's version as a whole, or its removal. */
export type DroppedChange = "added" | "removed" | "moved" | "file" | "mode";

/** A change of a side that the resolution does not have. */
export interface Dropped {
  readonly path: string;
  readonly side: ResolutionSide;
  readonly change: DroppedChange;
  /** From 1: in the side's version, for a removed line in the base's. Null where it is about no line. */
  readonly line: number | null;
  /** The line without its end; `\n` for the newline at the end of the file; the mode; empty for a file. */
  readonly text: string;
}

/** A conflict marker that stayed in the resolution and that no version had. */
export interface LeftMarker {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export interface ResolutionCheck {
  readonly ok: boolean;
  readonly dropped: readonly Dropped[];
  readonly markers: readonly LeftMarker[];
}

const SIDES = ["ours", "theirs"] as const;

/**
 * Looks at each file; what is waived is not reported. For conflicts only: of two changes that overlap Git may let one side
 * have it all (both took a line away, and one put it back elsewhere), which here is a change dropped.
 */
export function checkResolution(
  files: readonly ResolvedFile[],
  waived: readonly Waiver[] = [],
): ResolutionCheck {
  const dropped: Dropped[] = [];
  const markers: LeftMarker[] = [];
  for (const file of files) {
    const here = waived.filter((each) => each.path === file.path || holds(each, file.path));
    const lines = createLineRules(file);
    for (const side of SIDES)
      for (const one of droppedOf(file, side, lines))
        if (!here.some((each) => covers(each, one))) dropped.push(one);
    for (const one of lines.markers())
      if (!here.some(({ side, line }) => side === undefined && line === one.text))
        markers.push({ path: file.path, ...one });
  }
  return { ok: dropped.length === 0 && markers.length === 0, dropped, markers };
}

/** Who gives up a directory gives up what is below it. */
function holds({ path, line }: Waiver, below: string): boolean {
  return line === undefined && below.startsWith(`${path}/`);
}

function covers({ side, line }: Waiver, one: Dropped): boolean {
  if (side !== undefined && side !== one.side) return false;
  if (line !== undefined) return one.line !== null && withoutReturn(line) === withoutReturn(one.text);
  return side !== undefined;
}

function droppedOf(file: ResolvedFile, side: ResolutionSide, lines: LineRules): Dropped[] {
  const { path, base, resolved } = file;
  const own = file[side];
  const about = { path, side };
  const whole: Dropped = { ...about, change: "file", line: null, text: "" };
  if (same(own, base)) return [];
  if (own === null) return resolved === null ? [] : [whole];
  if (resolved === null) return [whole];
  if (!hasLines(own) || !hasLines(resolved)) return same(own, resolved) ? [] : [whole];
  const found: Dropped[] = lines.dropped(side).map((each) => ({ ...about, ...each }));
  const before = base !== null && hasLines(base) ? base.mode : PLAIN;
  if (own.mode !== before && resolved.mode !== own.mode)
    found.push({ ...about, change: "mode", line: null, text: own.mode });
  return found;
}

const PLAIN = "100644";

/** True for a file whose content is text. */
export function hasLines(version: FileVersion | null): version is FileVersion & { readonly text: string } {
  return version !== null && version.text !== null && version.mode.startsWith("100");
}

function same(a: FileVersion | null, b: FileVersion | null): boolean {
  if (a === null || b === null) return a === b;
  return a.id === b.id && a.mode === b.mode;
}
