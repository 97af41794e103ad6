/** Where the value of a secret-like name begins and ends: quoted, as a JSON array, as a YAML block. */
import type { Span } from "./secret-shapes.ts";

const MARK = "[REDACTED]";

/** The values of one name. */
export interface Region {
  readonly spans: readonly Span[];
  readonly end: number;
  /** The text ended before it did. */
  readonly open: boolean;
  /** It may be of several lines. */
  readonly isBlock: boolean;
}

const WORDS = new Set(
  "string str text null none nil undefined true false bool boolean number int integer any unknown void required optional never yes no on off auto default empty unset set missing include omit same-origin".split(
    " ",
  ),
);
const PLACEHOLDER =
  /^(?:\$\{?[A-Za-z_][\w.]*\}?|\$\{\{[\w .]*\}\}|\{\{[\w .]*\}\}|<[\w -]*>|\*+|x{3,}|\.{3}|…|%s|\?|YOUR[_-][A-Z_-]+)$/i;

/** No value, only what stands in its place: a type, a variable, a mark. */
export function isStandIn(value: string): boolean {
  return value.trim() === "" || value === MARK || PLACEHOLDER.test(value) || WORDS.has(value);
}

/** A number where JSON has one: what replaces it must be a JSON value, too. Counts and small numbers stay. */
export function numberSpan(value: string, name: string, quote: string, start: number): Span | null {
  const least = /token/i.test(name) ? 10 : 4;
  if (!/^-?\d[\d.]*(?:[eE][+-]?\d+)?$/.test(value) || value.length < least) return null;
  return { start, end: start + value.length, text: `${quote}${MARK}${quote}` };
}

/** The value behind an opening quote, on the same line. Quotes inside are escaped once more than their own string. */
export function quotedValue(text: string, start: number, opening: string): Span | null {
  const { start: begin, end } = quotedRange(text, start, opening);
  return isStandIn(text.slice(begin, end)) ? null : { start: begin, end };
}

function quotedRange(text: string, start: number, opening: string): { start: number; end: number } {
  const closing = opening.length === 1 ? longQuote(text, start, opening) : opening;
  const begin = start + closing.length - opening.length;
  if (closing.length > 1 && !closing.startsWith("\\"))
    return { start: begin, end: longEnd(text, begin, closing) };
  const level = Math.floor(Math.log2(opening.length));
  const quote = opening.slice(-1);
  let slashes = 0;
  for (let end = begin; end < text.length; end++) {
    const char = text[end];
    if (char === "\n" || char === "\r") return { start: begin, end };
    if (char === "\\") {
      slashes++;
      continue;
    }
    if (char === '"' && quote === "'" && slashes % 2 === 0) return { start: begin, end };
    if (char === quote && closes(slashes, level)) {
      const goesOn = level === 0 && end > begin ? continuation(text, end, quote) : 0;
      if (goesOn === 0)
        return { start: begin, end: end - (slashes % 2 === 0 ? 0 : Math.min(slashes, opening.length - 1)) };
      end += goesOn - 1;
    }
    slashes = 0;
  }
  return { start: begin, end: text.length };
}

/** Python's three quotes, or the two of a quoted string in a CSV field. */
function longQuote(text: string, start: number, quote: string): string {
  if (text[start] !== quote) return quote;
  if (text[start + 1] === quote) return quote.repeat(3);
  return /[^\s"',;:)\]}>\\]/.test(text[start + 1] ?? " ") ? quote.repeat(2) : quote;
}

function longEnd(text: string, start: number, closing: string): number {
  let slashes = 0;
  for (let end = start; end < text.length; end++) {
    const char = text[end];
    if (char === "\n" || char === "\r") return end;
    if (slashes % 2 === 0 && (char === '"' || char === closing[0])) {
      if (char !== closing[0] || text.startsWith(closing, end)) return end;
    }
    slashes = char === "\\" ? slashes + 1 : 0;
  }
  return text.length;
}

/** So many characters at a closing quote only join it to more of the value: SQL doubles quotes, shells leave and come back. */
function continuation(text: string, at: number, quote: string): number {
  if (text[at + 1] === quote) return 2;
  if (quote !== "'") return 0;
  if (text.startsWith(`'"'"'`, at)) return 5;
  if (text.startsWith("'\\''", at)) return 4;
  return text.startsWith("'\\\\''", at) ? 5 : 0;
}

/** Is a quote behind so many backslashes the end of a string that is itself `level` strings deep? */
function closes(slashes: number, level: number): boolean {
  if (slashes % 2 === 0) return true;
  return level > 0 && closes((slashes - 1) / 2, level - 1);
}

const NUMBER = /-?\d[\d.eE+-]*/y;
/** Between values: what holds no secret. */
const CONSTANT = /[\s,]+|\\[nrt]|true|false|null/y;

/** `["a", "b"]` behind a name in the same quotes; null when there is no array. */
export function arrayValues(text: string, start: number, name: string, quote: string): Region | null {
  if (text[start] !== "[" || text.startsWith(MARK, start)) return null;
  const spans: Span[] = [];
  const region = (end: number, open: boolean): Region => ({ spans, end, open, isBlock: true });
  let depth = 0;
  for (let at = start; at < text.length; ) {
    if (text[at] === "[") {
      depth++;
      at++;
    } else if (text[at] === "]") {
      at++;
      if (--depth === 0) return region(at, false);
    } else if (text.startsWith(quote, at)) {
      const value = quotedRange(text, at + quote.length, quote);
      if (!isStandIn(text.slice(value.start, value.end))) spans.push(value);
      if (!text.startsWith(quote, value.end)) return region(value.end, value.end >= text.length);
      at = value.end + quote.length;
    } else {
      CONSTANT.lastIndex = at;
      NUMBER.lastIndex = at;
      const constant = CONSTANT.exec(text)?.[0];
      const number = constant === undefined ? (NUMBER.exec(text)?.[0] ?? "") : "";
      if (constant === undefined && number === "") return region(at, false);
      const span = number === "" ? null : numberSpan(number, name, quote, at);
      if (span !== null) spans.push(span);
      at += (constant ?? number).length;
    }
  }
  return region(text.length, true);
}

const BLOCK = /[|>][-+]?[1-9]?[-+]?(?:[ \t]+#[^\r\n\\"]*|[ \t]*)(\r?\n|\\r\\n|\\n|$)/y;
const MAX_KEY_LINE = 200;
const NAME_CHARACTER = /[\w.-]/;

/** How far the key is indented whose name, or the end of it, stands here; null when it is no key of YAML. */
function keyColumn(text: string, nameAt: number): number | null {
  const least = Math.max(0, nameAt - MAX_KEY_LINE);
  let at = nameAt;
  while (at > least && NAME_CHARACTER.test(text.charAt(at - 1))) at--;
  // The dash of a list is no part of the name.
  while (at < nameAt && text[at] === "-") at++;
  if (at > least && /["']/.test(text.charAt(at - 1)) && /[\s-]/.test(text.charAt(at - 2))) at--;
  let begin = at;
  while (begin > least && /[ \t-]/.test(text.charAt(begin - 1))) begin--;
  const indent = text.slice(begin, at);
  if (!/^[ \t]*(?:-[ \t]+)*$/.test(indent)) return null;
  const starts =
    begin === 0 || /[\r\n"]/.test(text.charAt(begin - 1)) || text.slice(0, begin).endsWith("\\n");
  return starts ? indent.length : null;
}

/** The indented lines behind `key: |`; null when no block begins there. */
export function blockValue(text: string, start: number, nameAt: number): Region | null {
  BLOCK.lastIndex = start;
  const header = BLOCK.exec(text);
  if (header === null) return null;
  const column = keyColumn(text, nameAt);
  if (column === null) return null;
  const newline = header[1]?.startsWith("\\") === true ? "\\n" : "\n";
  let [from, to] = [-1, -1];
  let at = start + header[0].length;
  while (at < text.length) {
    const line = lineAt(text, at, newline);
    let first = at;
    while (first < line.end && (text[first] === " " || text[first] === "\t")) first++;
    if (first < line.end) {
      if (first - at <= column) return blockRegion(text, from, to, at, false);
      if (from === -1) from = first;
      to = line.end;
    }
    if (line.last) return blockRegion(text, from, to, line.end, false);
    at = line.next;
  }
  return blockRegion(text, from, to, text.length, true);
}

function blockRegion(text: string, from: number, to: number, end: number, open: boolean): Region {
  const hides = from !== -1 && !isStandIn(text.slice(from, to));
  return { spans: hides ? [{ start: from, end: to }] : [], end, open, isBlock: true };
}

/** A line without its break; written out in a string, a quote ends the last one. */
function lineAt(text: string, at: number, newline: string): { end: number; next: number; last: boolean } {
  const found = text.indexOf(newline, at);
  const next = found === -1 ? text.length : found + newline.length;
  if (newline === "\n") {
    const end = found === -1 ? text.length : found;
    return { end: text[end - 1] === "\r" ? end - 1 : end, next, last: false };
  }
  const quote = text.slice(at, next).search(/["\n]/);
  if (quote !== -1) {
    const end = at + (/\\*$/.exec(text.slice(at, at + quote))?.index ?? quote);
    return { end, next: end, last: true };
  }
  const end = found === -1 ? text.length : found;
  return { end: text.endsWith("\\r", end) ? end - 2 : end, next, last: false };
}
