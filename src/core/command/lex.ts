/** One command line as words: POSIX quoting, nothing expanded; what a shell would have interpreted is named. */
import { byteLength, describeHidden, hiddenCharacter } from "../text.ts";
import type { CommandCode } from "../errors.ts";

export const MAX_BYTES = 8192;
export const MAX_WORDS = 1024;

export interface Word {
  readonly text: string;
  /** As it was written, quotes and backslashes included. */
  readonly raw: string;
}

export interface LexProblem {
  readonly code: CommandCode;
  /** Fits into "The command contains …", or is a whole sentence when `at` is null. */
  readonly what: string;
  /** Index of the UTF-16 unit it begins at. */
  readonly at: number | null;
}

export interface LexOptions {
  /** `~` and `{a,b}` are ordinary text. */
  readonly placeholders?: boolean;
}

/** `'…'` keeps everything, `"…"` keeps all but `\"`, `\\`, `\$` and an escaped backtick, `\x` is x; `*`, `?` and `[` are ordinary text. */
export function lex(line: string, options: LexOptions = {}): readonly Word[] | LexProblem {
  const bad = textProblem(line);
  if (bad !== null) return bad;
  const words: Word[] = [];
  let at = 0;
  while (at < line.length) {
    if (isBlank(line.charAt(at))) {
      at++;
      continue;
    }
    const read = readWord(line, at, options.placeholders === true);
    if ("code" in read) return read;
    words.push({ text: read.text, raw: line.slice(at, read.end) });
    at = read.end;
  }
  if (words.length === 0) return { code: "empty", what: "The command is empty.", at: null };
  if (words.length > MAX_WORDS) {
    return { code: "too_many_words", what: `The command has more than ${MAX_WORDS} words.`, at: null };
  }
  return words;
}

function isBlank(char: string): boolean {
  return char === " " || char === "\t";
}

/** What no quoting makes right. */
function textProblem(line: string): LexProblem | null {
  if (line.length > MAX_BYTES || byteLength(line) > MAX_BYTES) {
    return { code: "line_too_long", what: `The command has more than ${MAX_BYTES} bytes.`, at: null };
  }
  const newline = /[\r\n\u0085\u2028\u2029]/.exec(line);
  if (newline !== null) return { code: "newline", what: "a line break", at: newline.index };
  const lost = line.indexOf("\uFFFD");
  if (lost !== -1) return { code: "invalid_unicode", what: "bytes that were no text (U+FFFD)", at: lost };
  const hidden = hiddenCharacter(line.replaceAll("\t", " "));
  if (hidden === null) return null;
  const what = `The command contains ${describeHidden(hidden)}.`;
  if (hidden.code === "U+0000") return { code: "nul", what, at: null };
  if (hidden.kind === "surrogate") return { code: "invalid_unicode", what, at: null };
  return { code: hidden.kind === "control" ? "control_character" : "hidden_character", what, at: null };
}

interface Piece {
  readonly text: string;
  /** The index after it. */
  readonly end: number;
}

function readWord(line: string, start: number, placeholders: boolean): Piece | LexProblem {
  if (line.charAt(start) === "#") return { code: "comment", what: "a comment (#)", at: start };
  const braces = createBraces();
  let text = "";
  let at = start;
  while (at < line.length && !isBlank(line.charAt(at))) {
    const char = line.charAt(at);
    if (char === "'" || char === '"' || char === "\\") {
      const piece = readQuoted(line, at);
      if ("code" in piece) return piece;
      text += piece.text;
      at = piece.end;
      braces.quoted();
      continue;
    }
    const problem = refusedBare(line, at);
    if (problem !== null) return problem;
    if (!placeholders) {
      const opens = at === start || (at > start && "=:".includes(line.charAt(at - 1)));
      if (char === "~" && opens) return { code: "tilde", what: "a ~ that stands for a home directory", at };
      if (braces.expandWith(char))
        return { code: "brace_expansion", what: "braces that a shell would expand", at };
    }
    text += char;
    at++;
  }
  return { text, end: at };
}

function refusedBare(line: string, at: number): LexProblem | null {
  const char = line.charAt(at);
  if (char === "<" || char === ">")
    return { code: "redirection", what: `a redirection, the operator ${char}`, at };
  if ("|&;()".includes(char)) return { code: "operator", what: `the operator ${char}`, at };
  return substitution(line, at, true);
}

/** A `$` that stands before what a shell would expand, or a backtick. */
function substitution(line: string, at: number, bare: boolean): LexProblem | null {
  const char = line.charAt(at);
  if (char === "`") return { code: "substitution", what: "a backtick", at };
  if (char !== "$") return null;
  const next = line.charAt(at + 1);
  if (next === "(") return { code: "substitution", what: "a $ that starts a command", at };
  const expands = /^[A-Za-z0-9_{[@*#?$!-]/.test(next) || (bare && (next === "'" || next === '"'));
  return expands ? { code: "expansion", what: "a $ that a shell would expand", at } : null;
}

function readQuoted(line: string, at: number): Piece | LexProblem {
  const char = line.charAt(at);
  if (char === '"') return doubleQuoted(line, at);
  if (char === "\\") {
    if (at + 1 >= line.length) return { code: "unfinished", what: "a backslash with nothing after it", at };
    return { text: line.charAt(at + 1), end: at + 2 };
  }
  const end = line.indexOf("'", at + 1);
  if (end === -1) return { code: "unfinished", what: "a quote (') that is not closed", at };
  return { text: line.slice(at + 1, end), end: end + 1 };
}

function doubleQuoted(line: string, start: number): Piece | LexProblem {
  let text = "";
  for (let at = start + 1; at < line.length; at++) {
    const char = line.charAt(at);
    const next = line.charAt(at + 1);
    if (char === '"') return { text, end: at + 1 };
    const problem = substitution(line, at, false);
    if (problem !== null) return problem;
    if (char === "\\" && next !== "" && '"\\$`'.includes(next)) {
      text += next;
      at++;
    } else text += char;
  }
  return { code: "unfinished", what: 'a quote (") that is not closed', at: start };
}

/** Sees `{…,…}` and `{…..…}` go by in one word; only what is bare counts. Wider than a shell, which also asks what is between. */
function createBraces() {
  let open = false;
  let divided = false;
  let before = "";
  return {
    quoted(): void {
      before = "";
    },
    /** True when this bare character closes braces that would expand. */
    expandWith(char: string): boolean {
      if (char === "{") open = true;
      else if (open && (char === "," || (char === "." && before === "."))) divided = true;
      before = char;
      return divided && char === "}";
    },
  };
}
