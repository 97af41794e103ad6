/** What a setting is: its name, what may be written, and how that is read. */
export interface Row<T> {
  readonly name: string;
  readonly group: SettingGroup;
  readonly description: string;
  /** What a person may write, in words. */
  readonly allowed: string;
  readonly fallback: T;
  readonly secret: boolean;
  /** The value, or undefined for a text that is not allowed. */
  parse(text: string): T | undefined;
}

export type SettingGroup = "state" | "model" | "team" | "tools" | "signals";

const YES = new Set(["1", "true", "on", "yes"]);
const NO = new Set(["0", "false", "off", "no"]);

function readFlag(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (YES.has(word)) return true;
  return NO.has(word) ? false : undefined;
}

export function flag<T extends boolean | undefined>(
  name: string,
  group: SettingGroup,
  fallback: T,
  description: string,
) {
  const allowed = "1, 0, true, false, on, off, yes or no";
  const row: Row<boolean | T> = {
    name,
    group,
    description,
    allowed,
    fallback,
    secret: false,
    parse: readFlag,
  };
  return row;
}

export function text<T extends string | undefined>(
  name: string,
  group: SettingGroup,
  fallback: T,
  description: string,
) {
  const row: Row<string | T> = {
    name,
    group,
    description,
    allowed: "a text",
    fallback,
    secret: false,
    parse: (t) => t,
  };
  return row;
}

export function choice<T extends string>(
  name: string,
  group: SettingGroup,
  values: readonly T[],
  fallback: T,
  about: string,
) {
  const parse = (text: string) => values.find((value) => value === text.toLowerCase());
  const allowed = values.join(", ");
  const row: Row<T> = { name, group, description: about, allowed, fallback, secret: false, parse };
  return row;
}

export function readUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === "https:" || url?.protocol === "http:" ? text : undefined;
}

export function readStoreUrl(text: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:./i.test(text) ? text : undefined;
}

export function readBytes(text: string): number | undefined {
  const bytes = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return bytes >= 1 && bytes <= 16_777_216 ? bytes : undefined;
}

export function readLease(text: string): number | undefined {
  const ms = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return ms >= 1_000 && ms <= 600_000 ? ms : undefined;
}

export function readNames(text: string): readonly string[] | undefined {
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  return names.length > 0 && names.every((name) => /^[A-Za-z0-9_.-]+$/.test(name)) ? names : undefined;
}

/** A whole number between two bounds. */
export function whole(
  name: string,
  group: SettingGroup,
  [least, most]: readonly [number, number],
  fallback: number,
  description: string,
) {
  const parse = (text: string): number | undefined => {
    const number = /^\d{1,12}$/.test(text) ? Number(text) : -1;
    return number >= least && number <= most ? number : undefined;
  };
  const allowed = `a whole number from ${least} to ${most}`;
  const row: Row<number> = { name, group, description, allowed, fallback, secret: false, parse };
  return row;
}

/** Texts with commas between them, or a JSON list of texts where one has a comma in it. */
export function readList(text: string): readonly string[] | undefined {
  const items = text.startsWith("[") ? jsonTexts(text) : text.split(",");
  return items?.map((item) => item.trim()).filter((item) => item !== "");
}

export function jsonTexts(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isText = (item: unknown): item is string => typeof item === "string";
    return Array.isArray(value) && value.every(isText) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
