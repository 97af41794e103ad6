/** `PASSWORD=…`, `"api_key": "…"`, `token: …`: values whose name says that they are secret. Code and prose stay readable. */
import type { Span } from "./secret-shapes.ts";

const NAME =
  "(?:pass(?:word|wd|phrase|code)|(?<=[_&?-])pass|(?<![a-z])pwd|secret(?:[_-]?key[_-]?base)?|(?<=[_-])pat|token|" +
  "(?<![A-Za-z])_auth|authorization|credentials?|" +
  "(?:api|access|secret|private|signing|encryption|master|account|license|ssh|deploy)[_-]?key|" +
  "connection[_-]?string|sessid|csrf|cookie)";

/** 1 name, 2 its closing quote, 3 blanks and separator, 4 the value's opening quote. */
const ASSIGNMENT = new RegExp(
  `(${NAME})(\\\\{0,7}["']?)([ \\t]{0,20}(?::=|=|:)(?![=>:])[ \\t]{0,20})(\\\\{0,7}["'])?`,
  "gi",
);

/** Ends a value without quotes. A backslash ends it where it is an escape of JSON. */
const UNQUOTED = /(?:[^\s"'`,;&()<>[\]{}|\\]|\\[^\snrtbf"])+/y;
/** On the right of `NAME=` lists of all kinds are part of the value. */
const ENV_VALUE = /(?:[^\s"'`&()<>\\]|\\[^\snrtbf"])+/y;

const WORDS = new Set(
  "string str text null none nil undefined true false bool boolean number int integer any unknown void required optional never yes no on off auto default empty unset set missing include omit same-origin".split(
    " ",
  ),
);
const PLACEHOLDER =
  /^(?:\$\{?[A-Za-z_][\w.]*\}?|\$\{\{[\w .]*\}\}|\{\{[\w .]*\}\}|<[\w -]*>|\*+|x{3,}|\.{3}|…|%s|\?)$/i;
/** What may follow a string of JSON. */
const STRING_END = /[ \t]{0,40}(?:[,}\]:\r\n]|$)/y;
const MARK = "[REDACTED]";

export function assignedSecrets(text: string): Span[] {
  const spans: Span[] = [];
  const isInside = quoteState(text);
  ASSIGNMENT.lastIndex = 0;
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    const start = match.index + match[0].length;
    const [, name = "", closing = "", separator = "", opening] = match;
    if (closing !== opening && opening?.endsWith('"') === true && endsString(text, start, isInside)) continue;
    const span =
      opening === undefined
        ? unquoted(text, start, name, closing, separator)
        : quotedValue(text, start, opening);
    if (span === null) continue;
    spans.push(span);
    ASSIGNMENT.lastIndex = Math.max(span.end, start);
  }
  return spans;
}

/** In `{"note":"token: "}` the quote after the separator ends a string of JSON; no value follows. */
function endsString(text: string, after: number, isInside: (at: number) => boolean): boolean {
  STRING_END.lastIndex = after;
  return STRING_END.test(text) && isInside(after - 1);
}

/** Tells whether a position is between two `"` of its line; asked in rising order, it reads the text once. */
function quoteState(text: string): (at: number) => boolean {
  let read = 0;
  let inside = false;
  return (at) => {
    for (; read < at; read++) {
      const char = text[read];
      if (char === "\n") inside = false;
      else if (char === "\\") read++;
      else if (char === '"') inside = !inside;
    }
    return inside;
  };
}

/** Up to the quote that closes it, on the same line; quotes inside are escaped once more than their own string. */
function quotedValue(text: string, start: number, opening: string): Span | null {
  const quote = opening.slice(-1);
  const level = Math.floor(Math.log2(opening.length));
  let end = start;
  let slashes = 0;
  for (; end < text.length; end++) {
    const char = text[end];
    if (char === "\n" || char === "\r") break;
    if (char === "\\") {
      slashes++;
      continue;
    }
    if (char === '"' && quote === "'" && slashes % 2 === 0) break;
    if (char === quote && closes(slashes, level)) {
      end -= Math.min(slashes, slashes % 2 === 0 ? 0 : opening.length - 1);
      break;
    }
    slashes = 0;
  }
  const value = text.slice(start, end);
  if (value.trim() === "" || value === MARK || PLACEHOLDER.test(value) || WORDS.has(value)) return null;
  return { start, end };
}

/** Is a quote behind so many backslashes the end of a string that is itself `level` strings deep? */
function closes(slashes: number, level: number): boolean {
  if (slashes % 2 === 0) return true;
  return level > 0 && closes((slashes - 1) / 2, level - 1);
}

function unquoted(
  text: string,
  start: number,
  name: string,
  closing: string,
  separator: string,
): Span | null {
  const isEnv = separator === "=" && name === name.toUpperCase();
  const rule = isEnv ? ENV_VALUE : UNQUOTED;
  rule.lastIndex = start;
  const value = rule.exec(text)?.[0] ?? "";
  const end = start + value.length;
  if (value === "" || text.startsWith(MARK, start) || value.startsWith("[")) return null;
  if (/["']$/.test(closing) && separator.trim() === ":")
    return jsonNumber(value, name, closing, { start, end });
  return staysReadable(value, { name, separator, text, start, end, isEnv }) ? null : { start, end };
}

/** A number under a quoted name is JSON: what replaces it must be a JSON value too. */
function jsonNumber(value: string, name: string, quote: string, span: Span): Span | null {
  if (!/^-?\d{4,}$/.test(value) || !/pass|secret|pwd/i.test(name)) return null;
  return { ...span, text: `${quote}${MARK}${quote}` };
}

interface Place {
  readonly name: string;
  readonly separator: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly isEnv: boolean;
}

/** Code, prose and placeholders: a variable, a call, a type, a word in a sentence. */
function staysReadable(value: string, place: Place): boolean {
  const bare = value.replace(/[.:!?]+$/, "");
  if (bare === "" || WORDS.has(bare.toLowerCase()) || PLACEHOLDER.test(value) || /^[$@%*!~^]?$/.test(bare))
    return true;
  if (/^[$]/.test(value)) return true;
  const next = place.text[place.end];
  if (next === "(" || next === "[" || next === "{") return true;
  if (/^\d+$/.test(bare)) return !/pass|secret|pwd/i.test(place.name) ? bare.length < 10 : bare.length < 4;
  if (/^(?:\/|\.\/|\.\.\/|~\/)[\w.-]+(?:\/[\w.-]+)+$/.test(value)) return true;
  const repeatsName = bare.toLowerCase().includes(place.name.toLowerCase().replace(/[_-]/g, ""));
  if (!place.isEnv && repeatsName && /^[A-Za-z_$][\w$.]*$/.test(bare)) return true;
  if (!/^[A-Za-z_$][A-Za-z_$.-]*$/.test(bare)) return place.separator !== "=" && bare.length < 4;
  if (place.isEnv) return false;
  if (bare.length <= 2) return true;
  const isTight = place.separator === "=";
  if (isTight && !bare.includes(".")) return false;
  return !isYamlLine(place) || bare.includes(".");
}

/** `  name: value`, and nothing else on the line. */
function isYamlLine({ text, start, end, separator, name }: Place): boolean {
  if (separator.trim() !== ":" || !/[ \t]$/.test(separator)) return false;
  const after = text[end];
  if (after !== undefined && after !== "\n" && after !== "\r") return false;
  const from = start - separator.length - name.length;
  const before = text.slice(Math.max(0, from - 80), from);
  return /(?:^|[\r\n])[ \t]*(?:- )?[\w.-]*$/.test(before);
}
