/** Values that are known to be secret, in the forms in which they turn up: as they are, escaped, encoded, broken over lines. */
import type { Span } from "./secret-shapes.ts";
import { asWritten, joined, type Reading, unescaped, unpercented } from "./text-readings.ts";

/** A shorter value occurs in ordinary text. */
const MIN_LENGTH = 4;
const MIN_ENCODED = 8;

export interface KnownSecrets {
  /** Where one stands. `find` looks for a pattern, but not in marks. */
  spans(text: string, find: (rule: RegExp, text: string) => Span[]): Span[];
  /** Where the text may be cut, at `limit` or at a line before it, without parting a value that goes on in the next line. */
  cutOutside(text: string, limit: number): number;
}

/** Null when there is nothing to look for. */
export function createKnown(known: readonly string[]): KnownSecrets | null {
  const values = known.filter((value) => value.trim().length >= MIN_LENGTH);
  if (values.length === 0) return null;
  const encoded = new Set(values.flatMap(encodedForms).filter((form) => form.length >= MIN_ENCODED));
  const all = literally([...values.flatMap(escapedForms), ...encoded]);
  const broken = literally([...encoded]);
  const endsOf = {
    encoded: createBeginnings([...encoded]),
    plain: createBeginnings(values.filter((value) => /[\r\n]/.test(value))),
  };
  const inReading = (rule: RegExp, reading: Reading | null, find: (rule: RegExp, text: string) => Span[]) =>
    reading === null ? [] : find(rule, reading.text).map((span) => asWritten(reading, span));
  return {
    spans: (text, find) => [
      ...find(all, text),
      ...inReading(all, unpercented(text), find),
      ...inReading(all, unescaped(text), find),
      ...inReading(broken, joined(text), find),
    ],
    cutOutside(text, limit) {
      // Each line of an encoded text is indented a little at most.
      const from = Math.max(0, limit - endsOf.encoded.longest * 2 - 1024);
      const lines = joined(text.slice(from, limit));
      const inLines = lines === null ? -1 : endsOf.encoded.at(lines.text);
      const begins = [
        lines === null || inLines === -1
          ? limit
          : from + asWritten(lines, { start: inLines, end: inLines + 1 }).start,
        endsOf.plain.before(text, limit),
      ];
      const begin = Math.min(...begins);
      return begin === limit ? limit : begin === 0 ? 0 : text.lastIndexOf("\n", begin - 1) + 1;
    },
  };
}

/** One rule for all of them, the longest form first. */
function literally(forms: readonly string[]): RegExp {
  const sorted = [...new Set(forms)].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  return new RegExp(
    sorted.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|") || "(?!)",
    "g",
  );
}

/** What is percent-encoded or written as `\u0041` in whole or in part is found by reading the text so. */
function escapedForms(value: string): readonly string[] {
  const json = jsonEscaped(value);
  const twice = jsonEscaped(json);
  const forms = [
    value,
    json,
    twice,
    jsonEscaped(twice),
    json.replaceAll("/", "\\/"),
    value.replaceAll(" ", "+"),
  ];
  return [
    ...forms,
    lowerHex(encodeURIComponent(value.toWellFormed())),
    encodeURIComponent(value.toWellFormed()),
  ];
}

function encodedForms(value: string): readonly string[] {
  const bytes = Buffer.from(value.toWellFormed());
  return [...base64Forms(bytes), bytes.toString("hex"), bytes.toString("hex").toUpperCase()];
}

function jsonEscaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function lowerHex(url: string): string {
  return url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
}

/** The characters that are sure whatever stands before and after the value in the encoded text, at each alignment. */
function base64Forms(bytes: Uint8Array): readonly string[] {
  const forms: string[] = [];
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const sureFrom = Math.ceil((before * 8) / 6);
    const sureTo = Math.floor((padded.length * 8) / 6);
    forms.push(
      padded.toString("base64").slice(sureFrom, sureTo),
      padded.toString("base64url").slice(sureFrom, sureTo),
    );
  }
  forms.push(Buffer.from(bytes).toString("base64"));
  return forms;
}

/** Finds where the end of a text could be the beginning of one of the forms. */
function createBeginnings(forms: readonly string[]) {
  const byFirst = Map.groupBy(forms, (form) => form.charAt(0));
  const longest = Math.max(0, ...forms.map((form) => form.length));
  /** The first such position, or -1. */
  const at = (text: string): number => {
    for (let i = Math.max(0, text.length - longest); i < text.length; i++) {
      const candidates = byFirst.get(text.charAt(i)) ?? [];
      if (candidates.some((form) => form.startsWith(text.slice(i)))) return i;
    }
    return -1;
  };
  return {
    longest,
    at,
    before(text: string, limit: number): number {
      const from = Math.max(0, limit - longest);
      const found = at(text.slice(from, limit));
      return found === -1 ? limit : from + found;
    },
  };
}
