/** `PASSWORD=…`, `"api_key": "…"`, `token: …`: values whose name says that they are secret. Code and prose stay readable. */
import type { Span } from "./secret-shapes.ts";
import { arrayValues, blockValue, isStandIn, numberSpan, quotedValue, type Region } from "./secret-values.ts";

const NAME =
  "(?:pass(?:word|wd|phrase|code)|(?<=[_&?-])pass|(?<![a-z])pwd|secret(?:[_-]?key[_-]?base)?|(?<=[_-])pat|token|" +
  "(?<![A-Za-z])_auth|authorization|credentials?|" +
  "(?:api|access|secret|private|signing|encryption|master|account|license|ssh|deploy)[_-]?key|" +
  "connection[_-]?string|sessid|csrf|cookie|(?:passwords|secrets|(?:api|access|secret)[_-]?keys)(?=\\\\{0,7}[\"']))";

/** 1 name, 2 its closing quote, 3 blanks and separator, 4 the value's opening quote. */
const ASSIGNMENT = new RegExp(
  `(${NAME})(\\\\{0,7}["']?)([ \\t]{0,20}(?::[ \\t]{0,4}(?:[Ss]tring|str|any)[ \\t]{0,4}=|[:?+]=|=>|=|:)(?![=>:])[ \\t]{0,20})(\\\\{0,7}["'])?`,
  "gi",
);

/** Ends a value without quotes. A backslash ends it where it is an escape of JSON. */
const UNQUOTED = /(?:[^\s"'`,;&()<>[\]{}|\\]|\\[^\snrtbf"])+/y;
/** On the right of `NAME=` lists of all kinds are part of the value. */
const ENV_VALUE = /(?:[^\s"'`&()<>\\]|\\[^\snrtbf"])+/y;

/** What may follow a string of JSON. */
const STRING_END = /[ \t]{0,40}(?:[,}\]:\r\n]|$)/y;
const MARK = "[REDACTED]";

export interface Assigned {
  readonly spans: readonly Span[];
  /** What must not be parted though it is of several lines; one that may go on after the text has no end. */
  readonly blocks: readonly Span[];
}

export function assignedSecrets(text: string): Assigned {
  const spans: Span[] = [];
  const blocks: Span[] = [];
  const isInside = quoteState(text);
  ASSIGNMENT.lastIndex = 0;
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    const start = match.index + match[0].length;
    const found = valuesOf(text, match, start, isInside);
    if (found === null) continue;
    spans.push(...found.spans);
    if (found.open || found.isBlock) {
      blocks.push({ start: match.index, end: found.open ? Number.POSITIVE_INFINITY : found.end });
    }
    ASSIGNMENT.lastIndex = Math.max(found.end, start);
  }
  return { spans, blocks };
}

function valuesOf(
  text: string,
  match: RegExpExecArray,
  start: number,
  isInside: (at: number) => boolean,
): Region | null {
  const [, name = "", closing = "", separator = "", opening] = match;
  const isPair = separator.trim() === "=>";
  if (isPair && (opening === undefined || !(closing !== "" || isHashKey(text, match.index)))) return null;
  if (opening !== undefined) {
    if (closing !== opening && opening.endsWith('"') && endsString(text, start, isInside)) return null;
    return regionOf(quotedValue(text, start, opening));
  }
  if (separator.trim() === ":") {
    const array = closing === "" ? null : arrayValues(text, start, name, closing);
    const region = array ?? blockValue(text, start, match.index);
    if (region !== null) return region;
  }
  return regionOf(unquoted(text, start, name, closing, separator));
}

function regionOf(span: Span | null): Region | null {
  return span === null ? null : { spans: [span], end: span.end, open: false, isBlock: false };
}

/** Ruby's `:key => "…"`, or the pair of a hash on a line of its own; `token => "…"` may be a function. */
function isHashKey(text: string, nameAt: number): boolean {
  return /(?::|(?:^|[\r\n])[ \t]*)\w*$/.test(text.slice(Math.max(0, nameAt - 80), nameAt));
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

function unquoted(
  text: string,
  start: number,
  name: string,
  closing: string,
  separator: string,
): Span | null {
  const isEnv = /^[?+]?=$/.test(separator) && name === name.toUpperCase();
  const rule = isEnv ? ENV_VALUE : UNQUOTED;
  rule.lastIndex = start;
  const value = rule.exec(text)?.[0] ?? "";
  const end = start + value.length;
  if (value === "" || text.startsWith(MARK, start) || value.startsWith("[")) return null;
  if (/["']$/.test(closing) && separator.trim() === ":") return numberSpan(value, name, closing, start);
  return staysReadable(value, { name, separator, text, start, end, isEnv }) ? null : { start, end };
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
  if (isStandIn(bare.toLowerCase()) || isStandIn(value) || /^[$@%*!~^]?$/.test(bare)) return true;
  if (/^[$]/.test(value)) return true;
  const next = place.text[place.end];
  if (next === "(" || next === "[" || next === "{") return true;
  if (/^\d+$/.test(bare)) return !/pass|secret|pwd/i.test(place.name) ? bare.length < 10 : bare.length < 4;
  if (/^(?:\/|\.\/|\.\.\/|~\/)[\w.-]+(?:\/[\w.-]+)+$/.test(value)) return true;
  const repeatsName = bare.toLowerCase().includes(place.name.toLowerCase().replace(/[_-]/g, ""));
  if (!place.isEnv && repeatsName && /^[:@]?[A-Za-z_$][\w$.]*$/.test(bare)) return true;
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
