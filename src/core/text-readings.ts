/** A text as somebody reads it who decodes it first, and where each part of that stands in the text as it is written. */
import type { Span } from "./secret-shapes.ts";

export interface Reading {
  readonly text: string;
  /** In rising order. */
  readonly shifts: readonly Shift[];
}

/** From `at` on so many characters stand for as many times `written`, which begin at `from`; then the text goes on as it is. */
interface Shift {
  readonly at: number;
  readonly length: number;
  readonly from: number;
  readonly each: number;
  /** Behind them. */
  readonly to: number;
}

/** `%70%61ss` as `pass`; null when nothing is percent-encoded. */
export function unpercented(text: string): Reading | null {
  if (!text.includes("%")) return null;
  return reread(text, /(?:%[0-7][0-9a-f])+|%[89a-f][0-9a-f](?:%[89ab][0-9a-f]){0,3}/gi, percentDecoded);
}

/** `\u0070ass` as `pass`, however many backslashes there are; null when nothing is escaped so. */
export function unescaped(text: string): Reading | null {
  if (!text.includes("\\u")) return null;
  return reread(text, /\\{1,8}u[0-9a-f]{4}/gi, (written) =>
    String.fromCharCode(Number.parseInt(written.slice(-4), 16)),
  );
}

/** Lines of base64 or hex as one, as who decodes them reads them; null when nothing can go on in another line. */
export function joined(text: string): Reading | null {
  return reread(text, /(?<=[\w+/-])(?:\r?\n|\\{1,4}r\\{1,4}n|\\{1,4}n)[ \t]*(?=[\w+/-]|$)/g, () => "");
}

/** What is written for a part of the reading. */
export function asWritten({ shifts }: Reading, { start, end }: Span): Span {
  return { start: written(shifts, start, false), end: written(shifts, end - 1, true) };
}

function written(shifts: readonly Shift[], at: number, behind: boolean): number {
  let [low, high] = [0, shifts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((shifts[middle]?.at ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  const shift = shifts[low - 1];
  const more = behind ? 1 : 0;
  if (shift === undefined) return at + more;
  const inside = at - shift.at;
  if (inside >= shift.length) return shift.to + inside - shift.length + more;
  return shift.each === 0 ? (behind ? shift.to : shift.from) : shift.from + (inside + more) * shift.each;
}

function reread(text: string, rule: RegExp, decode: (match: string) => string | null): Reading | null {
  const shifts: Shift[] = [];
  const parts: string[] = [];
  let [done, at] = [0, 0];
  for (const match of text.matchAll(rule)) {
    const decoded = decode(match[0]);
    if (decoded === null) continue;
    const [written] = match;
    const from = match.index;
    parts.push(text.slice(done, from), decoded);
    at += from - done;
    // Three characters for each, or all for one that two units are needed for.
    const each =
      decoded.length > 1 && written.length === decoded.length * 3 && written.startsWith("%") ? 3 : 0;
    done = from + written.length;
    shifts.push({ at, length: decoded.length, from, each, to: done });
    at += decoded.length;
  }
  if (shifts.length === 0) return null;
  parts.push(text.slice(done));
  return { text: parts.join(""), shifts };
}

function percentDecoded(codes: string): string | null {
  try {
    return decodeURIComponent(codes);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
