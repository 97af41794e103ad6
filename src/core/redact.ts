/** Takes secrets out of anything that is shown, logged, stored or sent (SAFETY "Secrets"). Linear, idempotent. */
import { createKnown } from "./known-secrets.ts";
import { assignedSecrets } from "./secret-assignments.ts";
import { cutOutsideKeys, shapedSecrets, type Span } from "./secret-shapes.ts";

export interface Redactor {
  /** The text with `[REDACTED]` for each secret. Valid JSON stays valid JSON. */
  redact(text: string): string;
  /** The same for a text that comes in pieces; what may be the beginning of a secret is held back. */
  stream(): RedactorStream;
}

export interface RedactorStream {
  push(chunk: string): string;
  /** What was held back. */
  end(): string;
}

export interface RedactorOptions {
  /** Exact values, found as they are and base64-, URL-, hex- and JSON-escaped, also over lines. Fewer than 4 characters are ignored. */
  readonly known?: readonly string[];
  readonly patterns?: readonly RegExp[];
}

const MARK = "[REDACTED]";
/** A stream without line breaks, or a private key without end, is held back only so far. */
const MAX_HELD = 65_536;
/** What is longer cannot be the beginning of a line that somebody waits for. */
const MAX_LIVE = 2048;
const MAX_PASSES = 8;
/** Of values that may be of several lines. */
const MAY_BE_BLOCK = /:[ \t]{0,20}[|>[]/;

export function createRedactor(options: RedactorOptions = {}): Redactor {
  const known = createKnown(options.known ?? []);
  const patterns = (options.patterns ?? []).map(everywhere);

  /** Again until nothing is found: a mark may be a border that was not there before. */
  function redact(text: string): string {
    let result = pass(text);
    for (
      let again = result === text ? result : pass(result), i = 0;
      again !== result && i < MAX_PASSES;
      i++
    ) {
      result = again;
      again = pass(result);
    }
    return result;
  }

  function pass(text: string): string {
    const spans = [
      ...shapedSecrets(text),
      ...assignedSecrets(text).spans,
      ...patterns.flatMap((pattern) => matched(pattern, text)),
      ...(known?.spans(text, matched) ?? []),
    ];
    if (spans.length === 0) return text;
    const result = replaced(text, spans);
    if (!/^\s*[[{"]/.test(text) || isJson(result)) return result;
    const value = parsedJson(text);
    return value === undefined ? result : JSON.stringify(redactedValue(value.json, pass));
  }

  /** Where the text up to `limit` may be cut between lines so that nothing that goes on in the next line is parted. */
  function cutOutside(text: string, limit: number): number {
    const before = text.slice(0, limit);
    const blocks = MAY_BE_BLOCK.test(before) ? assignedSecrets(before).blocks : [];
    let cut = limit;
    for (let i = 0; i < MAX_PASSES && cut > 0; i++) {
      const outsideKeys = cutOutsideKeys(text, cut);
      const within = blocks.findLast(({ start, end }) => start < outsideKeys && end > outsideKeys);
      cut = within === undefined ? outsideKeys : text.lastIndexOf("\n", within.start) + 1;
      cut = known?.cutOutside(text, cut) ?? cut;
      if (cut === outsideKeys) return cut;
    }
    return 0;
  }

  return { redact, stream: () => createStream(redact, cutOutside) };
}

function everywhere(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, [...new Set(`${pattern.flags.replace("y", "")}g`)].join(""));
}

/** Marks of an earlier pass are never matched again. */
function matched(rule: RegExp, text: string): Span[] {
  const spans: Span[] = [];
  if (text.search(rule) === -1) return spans;
  let offset = 0;
  for (const piece of text.split(MARK)) {
    for (const match of piece.matchAll(rule)) {
      if (match[0] === "") continue;
      spans.push({ start: offset + match.index, end: offset + match.index + match[0].length });
    }
    offset += piece.length + MARK.length;
  }
  return spans;
}

/** One mark for spans that touch or overlap. */
function replaced(text: string, spans: readonly Span[]): string {
  const ordered = [...spans].sort((a, b) => a.start - b.start || b.end - a.end);
  let result = "";
  let done = 0;
  for (let i = 0; i < ordered.length; ) {
    const first = ordered[i];
    if (first === undefined) break;
    let end = first.end;
    for (i++; i < ordered.length; i++) {
      const next = ordered[i];
      if (next === undefined || next.start > end) break;
      end = Math.max(end, next.end);
    }
    result += text.slice(done, first.start) + (first.text ?? MARK);
    done = end;
  }
  return result + text.slice(done);
}

function isJson(text: string): boolean {
  return parsedJson(text) !== undefined;
}

function parsedJson(text: string): { json: unknown } | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return { json };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Only when marks in the text broke the JSON: the same over its values, one by one. */
function redactedValue(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (typeof value === "number" || typeof value === "boolean") {
    const shown = String(value);
    const clean = redact(shown);
    return clean === shown ? value : clean;
  }
  if (Array.isArray(value)) return value.map((item) => redactedValue(item, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const [said] =
        typeof item === "string" ? [redact(`${JSON.stringify(key)}:${JSON.stringify(item)}`)] : [];
      const hidden = said?.endsWith(`:"${MARK}"`) === true;
      return [redact(key), hidden ? MARK : redactedValue(item, redact)];
    }),
  );
}

/** Whole lines are let go, unless what is secret may go on in the next one. */
function createStream(
  redact: (text: string) => string,
  cutOutside: (text: string, limit: number) => number,
): RedactorStream {
  let held = "";
  /** Up to here nothing could be let go: without another line that stays so. */
  let tried = 0;
  /** What is held back anyway is not looked through again for every few characters. */
  let enough = 0;
  const letGo = (upTo: number): string => {
    const text = held.slice(0, upTo);
    held = held.slice(upTo);
    tried = 0;
    return text === "" ? "" : redact(text);
  };
  return {
    push(chunk) {
      held += chunk;
      if (held.length < enough) return "";
      const lines = held.lastIndexOf("\n") + 1;
      const cut = lines === tried ? 0 : cutOutside(held, lines);
      tried = lines;
      let shown = cut > 0 ? letGo(cut) : "";
      if (held.length > MAX_HELD) shown += letGo(forcedCut(held));
      enough = held.length > MAX_LIVE ? held.length * 1.25 : 0;
      return shown;
    },
    end: () => letGo(held.length),
  };
}

/** Between words, not in the last part, where a secret may just be coming. */
function forcedCut(text: string): number {
  const blank = text.lastIndexOf(" ", text.length - 8192);
  return blank > 0 ? blank : text.length;
}
