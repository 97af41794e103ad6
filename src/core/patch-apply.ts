/**
 * A file's text with the hunks of a patch applied, or an error that says which lines were not found. Lines that a patch
 * keeps stay as the file has them, also where the patch has other blanks; every line keeps its own ending, new ones get
 * the ending of the file's first line, and a missing last line break stays missing unless the patch says otherwise.
 */
import { OxbowError } from "./errors.ts";
import type { Hunk, PatchLine } from "./patch.ts";
import { createSeeker, type Seeker } from "./patch-seek.ts";
import { quoted } from "./text.ts";

type Ending = "\n" | "\r\n" | "";

interface Line {
  readonly text: string;
  readonly ending: Ending;
}

/** Lines `start` to `end` (not included) give way to the hunk's. */
interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly lines: readonly PatchLine[];
}

const BOM = "\uFEFF";
/** A file of the size that may be read as text has fewer, unless its lines are all but empty. */
const MAX_LINES = 500_000;

/** Throws patch_failed with `{ path, hunk, lines }`: the number of the hunk from 1, and the lines not found. */
export function applyHunks(path: string, text: string, hunks: readonly Hunk[]): string {
  const mark = text.startsWith(BOM) ? BOM : "";
  const lines = linesOf(text.slice(mark.length));
  if (lines.length > MAX_LINES) {
    throw new OxbowError("patch_failed", `${path} has more than ${MAX_LINES} lines.`, {
      hint: "Nothing was written. Change it with edit_file.",
      details: { path },
    });
  }
  const seeker = createSeeker(lines.map((line) => line.text));
  const replacements: Replacement[] = [];
  let cursor = 0;
  for (const [index, hunk] of hunks.entries()) {
    const found = locate({ path, number: index + 1, seeker, lines }, hunk, cursor);
    replacements.push(found);
    if (hunk.anchors.length > 0 || found.end > found.start) cursor = Math.max(cursor, found.end);
  }
  // Stable: what was added at one place stays in the order of the patch.
  replacements.sort((a, b) => a.start - b.start);
  return mark + replaced(lines, replacements);
}

function linesOf(text: string): readonly Line[] {
  const lines = text.split("\n").map((line, i, all): Line => {
    if (i === all.length - 1) return { text: line, ending: "" };
    return line.endsWith("\r") ? { text: line.slice(0, -1), ending: "\r\n" } : { text: line, ending: "\n" };
  });
  return lines.at(-1)?.text === "" ? lines.slice(0, -1) : lines;
}

interface Place {
  readonly path: string;
  readonly number: number;
  readonly seeker: Seeker;
  readonly lines: readonly Line[];
}

function locate(place: Place, hunk: Hunk, from: number): Replacement {
  const { seeker, lines } = place;
  const wanted = hunk.lines.filter((line) => line.kind !== "add");
  let start = from;
  for (const anchor of hunk.anchors) {
    const found = afterAnchor(seeker, anchor, start);
    // Models shorten the line after @@. It does not matter where there is one place only.
    if (found === null && !onlyOnce(seeker, wanted, start)) throw noAnchor(place, anchor);
    start = found ?? start;
  }
  if (wanted.length === 0) return addition(place, hunk, start);
  const found =
    seek(seeker, hunk, hunk.lines, start) ??
    // A model may repeat the anchor as the hunk's first line.
    (hunk.anchors.length > 0 && start > from ? seek(seeker, hunk, hunk.lines, start - 1) : null) ??
    // An empty last line often stands for the last line break of the file.
    seek(seeker, hunk, withoutEmptyEnd(hunk.lines), start);
  if (found === null) throw notFound(place, hunk, wanted, start);
  const end = found.start + found.lines.filter((line) => line.kind !== "add").length;
  return { start: found.start, end: Math.min(end, lines.length), lines: found.lines };
}

function seek(
  seeker: Seeker,
  { atEnd }: Hunk,
  lines: readonly PatchLine[] | null,
  from: number,
): { start: number; lines: readonly PatchLine[] } | null {
  if (lines === null) return null;
  const wanted = lines.filter((line) => line.kind !== "add").map((line) => line.text);
  const start = (atEnd ? seeker.findLast(wanted, from) : null) ?? seeker.find(wanted, from);
  return start === null ? null : { start, lines };
}

/** Without the last line of the file's when it is empty, and its counterpart; null when it is not. */
function withoutEmptyEnd(lines: readonly PatchLine[]): readonly PatchLine[] | null {
  const last = lines.findLastIndex((line) => line.kind !== "add");
  if (lines[last]?.text !== "" || lines.filter((line) => line.kind !== "add").length < 2) return null;
  const rest = lines.toSpliced(last, 1);
  const end = rest.at(-1);
  return lines[last].kind === "remove" && end?.kind === "add" && end.text === "" ? rest.slice(0, -1) : rest;
}

/** Where to go on after a `@@` line. One that stands before the hunks so far leads nowhere, and does no harm. */
function afterAnchor(seeker: Seeker, anchor: string, from: number): number | null {
  const found = seeker.find([anchor], from);
  if (found !== null) return found + 1;
  return seeker.find([anchor], 0) === null ? null : from;
}

function onlyOnce(seeker: Seeker, wanted: readonly PatchLine[], from: number): boolean {
  const texts = wanted.map((line) => line.text);
  const found = texts.length === 0 ? null : seeker.find(texts, from);
  return found !== null && seeker.find(texts, found + 1) === null;
}

function noAnchor(place: Place, anchor: string): OxbowError {
  const why = `the line after @@ was not found: ${quoted(anchor, 200)}`;
  return failed(place, why, [anchor], "Give a whole line of the file after @@, or @@ alone.");
}

/**
 * Only lines to add: they go after the anchor, and without one to the end of the file, before an empty last line unless
 * the patch says that the file ends with them.
 */
function addition({ lines }: Place, hunk: Hunk, start: number): Replacement {
  const end = lines.at(-1)?.text === "" && !hunk.atEnd ? lines.length - 1 : lines.length;
  const at = hunk.anchors.length > 0 && !hunk.atEnd ? start : end;
  return { start: at, end: at, lines: hunk.lines };
}

function replaced(lines: readonly Line[], replacements: readonly Replacement[]): string {
  const preferred = lines.find((line) => line.ending !== "")?.ending ?? "\n";
  const result: Line[] = [];
  let bare = lines.at(-1)?.ending === "";
  let last: PatchLine | null = null;
  let at = 0;
  // The last line of the result, when it is one of a hunk's.
  for (const { start, end, lines: patch } of replacements) {
    if (start > at) last = null;
    for (; at < start; at++) result.push(lines[at] ?? { text: "", ending: "" });
    for (const line of patch) {
      // The patch knows that the last line has no break, so what is left keeps its own.
      if (line.kind === "remove" && line.bare && at === lines.length - 1) bare = false;
      if (line.kind !== "remove") last = line;
      if (line.kind === "add") result.push({ text: line.text, ending: preferred });
      else {
        if (line.kind === "keep") result.push(lines[at] ?? { text: "", ending: "" });
        at++;
      }
    }
    at = Math.max(at, end);
  }
  if (at < lines.length) last = null;
  for (; at < lines.length; at++) result.push(lines[at] ?? { text: "", ending: "" });
  if (last?.kind === "add" && last.bare) bare = true;
  return result
    .map(({ text, ending }, i) => text + (i === result.length - 1 && bare ? "" : ending || preferred))
    .join("");
}

const SHOWN_LINES = 40;

function notFound(place: Place, hunk: Hunk, wanted: readonly PatchLine[], from: number): OxbowError {
  const texts = wanted.map((line) => line.text);
  const earlier = place.seeker.find(texts, 0);
  if (earlier !== null) {
    const why = `its lines are at line ${earlier + 1}, before the hunk or @@ line in front of it`;
    return failed(place, why, texts, "Give the hunks of a file in the order of the file.");
  }
  const near = place.seeker.nearest(texts);
  const where = from === 0 ? "" : ` after line ${from}`;
  const shown = texts.slice(0, SHOWN_LINES).join("\n") + (texts.length > SHOWN_LINES ? "\n…" : "");
  const hint =
    near === null
      ? ""
      : ` The nearest place is line ${near.at + 1}, but line ${near.at + near.differs + 1} is ${shownLine(place.lines[near.at + near.differs])} where the patch has ${quoted(texts[near.differs] ?? "", 200)}.`;
  return failed(
    place,
    `these lines of the patch (line ${hunk.at}) were not found${where}:\n${shown}\n${hint}`,
    texts,
  );
}

function shownLine(line: Line | undefined): string {
  return line === undefined ? "the end of the file" : quoted(line.text, 200);
}

function failed({ path, number }: Place, why: string, lines: readonly string[], hint?: string): OxbowError {
  const nothing = hint === undefined ? {} : { hint: `Nothing was written. ${hint}` };
  return new OxbowError("patch_failed", `Hunk ${number} of ${path} does not apply: ${why.trimEnd()}`, {
    ...nothing,
    details: { path, hunk: number, lines: lines.slice(0, SHOWN_LINES) },
  });
}
