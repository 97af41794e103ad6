/**
 * Patches as OpenAI's models write them (V4A), read into plain values. The grammar is that of the Codex command line,
 * with its leniency: blanks around markers, a heredoc around the patch, a first hunk without `@@`, an empty line for an
 * empty line of context. Beyond it: several `@@` in a row, a unified diff's `@@ -1,2 +3,4 @@` and
 * `\ No newline at end of file`, and a move without hunks.
 */
import { OxbowError } from "./errors.ts";
import { byteLength, quoted, withoutReturn } from "./text.ts";

export interface PatchLine {
  readonly kind: "keep" | "remove" | "add";
  readonly text: string;
  /** The patch says that no line break follows it. */
  readonly bare: boolean;
}

export interface Hunk {
  /** Its first line in the patch, from 1. */
  readonly at: number;
  /** Lines of the file to go to first, one after the other. */
  readonly anchors: readonly string[];
  readonly lines: readonly PatchLine[];
  /** Its lines are the file's last. */
  readonly atEnd: boolean;
}

export type FilePatch =
  | { readonly kind: "add"; readonly path: string; readonly content: string }
  | { readonly kind: "delete"; readonly path: string }
  /** Without hunks it only moves. */
  | {
      readonly kind: "update";
      readonly path: string;
      readonly moveTo: string | null;
      readonly hunks: readonly Hunk[];
    };

export const MAX_PATCH_BYTES = 1_048_576;
export const MAX_HUNKS = 2_000;

const BEGIN = "*** Begin Patch";
const END = "*** End Patch";
const END_OF_FILE = "*** End of File";
const HEADER = /^\*\*\* (Add|Delete|Update) File:(.*)$/;
const MOVE = /^\*\*\* Move to:(.*)$/;
const ANCHOR = /^@@(?:$|\s(.*)$)/;
/** Where a unified diff has its line numbers; they are often wrong, so the lines alone count. */
const NUMBERS = /^-\d+(?:,\d+)? \+\d+(?:,\d+)? @@/;
const NO_NEWLINE = /^\\ No newline at end of file/i;
const HEREDOC = /^(?:apply_?patch\s+)?<<-?\s*(['"]?)(\w+)\1$/;
const HUNK_LINES = "every line of a hunk begins with a space (kept), - (removed) or + (added)";
const KINDS = { " ": "keep", "-": "remove", "+": "add" } as const;

interface Reader {
  readonly lines: readonly string[];
  /** For each line the next one, itself included, that is not blank; at the end the number of lines. */
  readonly filled: readonly number[];
  /** The line to read next, from 0. */
  at: number;
  hunks: number;
}

/** Throws patch_invalid, naming the line. */
export function parsePatch(text: string): readonly FilePatch[] {
  if (byteLength(text) > MAX_PATCH_BYTES)
    throw new OxbowError("patch_invalid", `The patch has more than ${MAX_PATCH_BYTES} bytes.`, {
      hint: "Apply it in parts.",
    });
  const lines = body(text);
  const reader: Reader = { lines, filled: nextFilled(lines), at: 1, hunks: 0 };
  const sections: FilePatch[] = [];
  for (let line = reader.lines[reader.at]; line !== undefined; line = reader.lines[reader.at]) {
    if (line.trim() === "") reader.at++;
    else sections.push(section(reader));
  }
  if (sections.length === 0)
    throw new OxbowError("patch_invalid", "The patch is empty: it names no file to add, update or delete.");
  return sections;
}

/** The lines from `*** Begin Patch` up to `*** End Patch`, so that an index plus one is the line number. */
function body(text: string): readonly string[] {
  let lines = text.trim().split("\n").map(withoutReturn);
  const heredoc = HEREDOC.exec(lines[0]?.trim() ?? "");
  if (heredoc !== null && lines.at(-1)?.trim() === heredoc[2]) lines = lines.slice(1, -1);
  const first = lines[0]?.trim() ?? "";
  if (first !== BEGIN) {
    throw new OxbowError(
      "patch_invalid",
      `The first line of the patch must be "${BEGIN}", but is ${quoted(first)}.`,
    );
  }
  const last = lines.at(-1)?.trim() ?? "";
  if (lines.length < 2 || last !== END) {
    throw new OxbowError(
      "patch_invalid",
      `The last line of the patch must be "${END}", but is ${quoted(last)}.`,
    );
  }
  return lines.slice(0, -1);
}

function nextFilled(lines: readonly string[]): readonly number[] {
  const filled: number[] = [];
  for (let i = lines.length - 1, next = lines.length; i >= 0; i--) {
    if ((lines[i] ?? "").trim() !== "") next = i;
    filled[i] = next;
  }
  return filled;
}

function section(reader: Reader): FilePatch {
  const line = reader.lines[reader.at] ?? "";
  const header = HEADER.exec(line.trim());
  if (header === null) {
    throw invalid(
      reader,
      `${quoted(line)} is no header; it must be "*** Add File: PATH", "*** Delete File: PATH" or "*** Update File: PATH"`,
    );
  }
  const path = named(reader, header[2]);
  reader.at++;
  if (header[1] === "Delete") return { kind: "delete", path };
  return header[1] === "Add" ? { kind: "add", path, content: addedText(reader) } : update(reader, path);
}

function named(reader: Reader, text: string | undefined): string {
  const path = (text ?? "").trim();
  if (path === "") throw invalid(reader, "the path is missing");
  return path;
}

function addedText(reader: Reader): string {
  let content = "";
  for (; reader.at < reader.lines.length; reader.at++) {
    const line = reader.lines[reader.at] ?? "";
    if (line.startsWith("+")) content += `${line.slice(1)}\n`;
    else if (NO_NEWLINE.test(line) && content !== "") content = content.slice(0, -1);
    else if (blankUntilHeader(reader)) break;
    else
      throw invalid(reader, `every line of a file that is added begins with +, but this is ${quoted(line)}`);
  }
  return content;
}

/** Empty lines between sections belong to none. */
function blankUntilHeader({ lines, filled, at }: Reader): boolean {
  const next = lines[filled[at] ?? lines.length];
  return next === undefined || HEADER.test(next.trim());
}

/** An empty line before a `@@` separates hunks. */
function blankUntilHunk({ lines, filled, at }: Reader): boolean {
  return ANCHOR.test(lines[filled[at] ?? lines.length] ?? "");
}

function update(reader: Reader, path: string): FilePatch {
  const move = MOVE.exec((reader.lines[reader.at] ?? "").trim());
  const moveTo = move === null ? null : named(reader, move[1]);
  if (move !== null) reader.at++;
  const hunks: Hunk[] = [];
  while (!blankUntilHeader(reader)) {
    if (blankUntilHunk(reader)) reader.at = reader.filled[reader.at] ?? reader.at;
    hunks.push(hunk(reader, hunks.length === 0));
  }
  if (hunks.length === 0 && moveTo === null) throw invalid(reader, `the update of ${quoted(path)} is empty`);
  return { kind: "update", path, moveTo, hunks };
}

function hunk(reader: Reader, first: boolean): Hunk {
  const at = reader.at + 1;
  if (++reader.hunks > MAX_HUNKS)
    throw new OxbowError("patch_invalid", `The patch has more than ${MAX_HUNKS} hunks.`, {
      hint: "Apply it in parts.",
    });
  const anchors: string[] = [];
  let opened = first;
  for (let found = anchorAt(reader); found !== null; found = anchorAt(reader)) {
    opened = true;
    reader.at++;
    const anchor = found.replace(NUMBERS, "");
    if (anchor === found && anchor.trim() !== "") anchors.push(anchor);
  }
  const start = reader.lines[reader.at] ?? "";
  if (!opened) throw invalid(reader, `${HUNK_LINES}, and a new hunk with @@, but this is ${quoted(start)}`);
  const lines = hunkLines(reader);
  const atEnd = (reader.lines[reader.at] ?? "").trim() === END_OF_FILE;
  if (atEnd) reader.at++;
  if (lines.length === 0) {
    if (atEnd || reader.at >= reader.lines.length || HEADER.test(start.trim()))
      throw new OxbowError("patch_invalid", `Line ${at} of the patch: the hunk has no lines.`);
    throw invalid(reader, `${HUNK_LINES}, but this is ${quoted(start)}`);
  }
  return { at, anchors, lines, atEnd };
}

/** What stands after `@@`, or null. */
function anchorAt(reader: Reader): string | null {
  const line = ANCHOR.exec(reader.lines[reader.at] ?? "");
  return line === null ? null : (line[1] ?? "");
}

function hunkLines(reader: Reader): readonly PatchLine[] {
  const found: PatchLine[] = [];
  for (; reader.at < reader.lines.length; reader.at++) {
    const line = reader.lines[reader.at] ?? "";
    const last = found.at(-1);
    if (NO_NEWLINE.test(line) && last !== undefined) {
      found[found.length - 1] = { ...last, bare: true };
      continue;
    }
    if (line === "" && (blankUntilHunk(reader) || blankUntilHeader(reader))) break;
    const mark = line === "" ? " " : line.charAt(0);
    if (mark !== " " && mark !== "-" && mark !== "+") break;
    found.push({ kind: KINDS[mark], text: line.slice(1), bare: false });
  }
  return found;
}

function invalid(reader: Reader, why: string): OxbowError {
  const line = reader.at + 1;
  return new OxbowError("patch_invalid", `Line ${line} of the patch: ${why}.`, { details: { line } });
}
