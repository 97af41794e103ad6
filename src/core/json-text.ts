/** JSON in what a model has written: alone, in fences, or within a sentence. Takes time in proportion to the text. */
import type { Json } from "./model.ts";

const FENCED = /^[ \t]*```[a-zA-Z0-9_-]*[ \t]*\r?\n([\s\S]*?)\n?[ \t]*```[ \t]*$/gm;

/**
 * The JSON values of a text: the whole text if it is one; else those between fences that are; else what stands between
 * the first opening and the last closing bracket, if that is one. Numbers and words within prose are none.
 */
export function jsonIn(text: string): readonly Json[] {
  const whole = parsed(text);
  if (whole !== undefined) return [whole];
  const fenced = [...text.matchAll(FENCED)].map((match) => parsed(match[1] ?? ""));
  const found = fenced.filter((value) => value !== undefined);
  if (found.length > 0) return found;
  const start = text.search(/[[{]/);
  const end = Math.max(text.lastIndexOf("]"), text.lastIndexOf("}"));
  const inside = start >= 0 && start < end ? parsed(text.slice(start, end + 1)) : undefined;
  return inside === undefined ? [] : [inside];
}

function parsed(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
