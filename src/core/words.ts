/** A command line as the words of an argv: POSIX quoting, nothing expanded, nothing that would need a shell. */
import { OxbowError } from "./errors.ts";
import { byteLength, describeHidden, hiddenCharacter, quoted } from "./text.ts";

const MAX_BYTES = 8192;
const MAX_WORDS = 1024;
const OPERATORS = new Set(["|", "&", ";", "<", ">", "(", ")"]);

/**
 * `'…'` keeps everything, `"…"` keeps all but `\"` and `\\`, `\x` is x; `*`, `?`, `~` and `{…}` are ordinary text.
 * Throws command_invalid for what a shell would interpret (operators, `$`, backticks, newlines), an open quote, hidden
 * characters, more than 8,192 bytes or 1,024 words, and an empty line.
 */
export function splitWords(line: string): string[] {
  refuseText(line);
  const words: string[] = [];
  let word: string | null = null;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (char === " " || char === "\t") {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    if (char === "#" && word === null) throw invalid("a comment (#)", line, i);
    const piece = readPiece(line, i);
    word = (word ?? "") + piece.text;
    i = piece.end;
  }
  if (word !== null) words.push(word);
  if (words.length === 0) throw new OxbowError("command_invalid", "The command is empty.");
  if (words.length > MAX_WORDS)
    throw new OxbowError("command_invalid", `The command has more than ${MAX_WORDS} words.`);
  return words;
}

interface Piece {
  readonly text: string;
  /** Position of its last character. */
  readonly end: number;
}

function readPiece(line: string, at: number): Piece {
  const char = line.charAt(at);
  if (char === "'") return singleQuoted(line, at);
  if (char === '"') return doubleQuoted(line, at);
  if (char === "\\") {
    if (at + 1 >= line.length) throw invalid("a backslash with nothing after it", line, at);
    return { text: line.charAt(at + 1), end: at + 1 };
  }
  if (OPERATORS.has(char)) throw invalid(`the operator ${char}`, line, at);
  if (char === "`") throw invalid("a backtick", line, at);
  if (char === "$") throw invalid("a $", line, at);
  return { text: char, end: at };
}

function singleQuoted(line: string, at: number): Piece {
  const end = line.indexOf("'", at + 1);
  if (end === -1) throw invalid("a quote (') that is not closed", line, at);
  return { text: line.slice(at + 1, end), end };
}

function doubleQuoted(line: string, at: number): Piece {
  let text = "";
  for (let i = at + 1; i < line.length; i++) {
    const char = line.charAt(i);
    const next = line.charAt(i + 1);
    if (char === '"') return { text, end: i };
    if (char === "`") throw invalid("a backtick", line, i);
    if (char === "$") throw invalid("a $", line, i);
    if (char === "\\" && next !== "" && '"\\$`'.includes(next)) {
      text += next;
      i++;
    } else text += char;
  }
  throw invalid('a quote (") that is not closed', line, at);
}

function refuseText(line: string): void {
  if (byteLength(line) > MAX_BYTES) {
    throw new OxbowError("command_invalid", `The command has more than ${MAX_BYTES} bytes.`);
  }
  const newline = /[\r\n]/.exec(line);
  if (newline !== null) throw invalid("a line break", line, newline.index);
  const hidden = hiddenCharacter(line.replaceAll("\t", " "));
  if (hidden !== null)
    throw new OxbowError("command_invalid", `The command contains ${describeHidden(hidden)}.`);
}

function invalid(what: string, line: string, at: number): OxbowError {
  return new OxbowError(
    "command_invalid",
    `The command contains ${what} at character ${at + 1}: ${quoted(line, 200)}.`,
    {
      hint: "No shell reads it. Put the text between single quotes, or start a shell yourself: sh -c '…'.",
    },
  );
}
