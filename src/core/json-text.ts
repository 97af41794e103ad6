/** JSON in what a model has written: alone, in fences, or within a sentence. Takes time in proportion to the text. */
import type { Json } from "./model.ts";

/**
 * The JSON values of a text: the whole text if it is one; else those between fences that are; else what stands between
 * the first opening and the last closing bracket, if that is one. Numbers and words within prose are none.
 */
export function jsonIn(text: string): readonly Json[] {
  const whole = parsed(text);
  if (whole !== undefined) return [whole];
  const found = fenced(text)
    .map(parsed)
    .filter((value) => value !== undefined);
  if (found.length > 0) return found;
  const start = text.search(/[[{]/);
  const end = Math.max(text.lastIndexOf("]"), text.lastIndexOf("}"));
  const inside = start >= 0 && start < end ? parsed(text.slice(start, end + 1)) : undefined;
  return inside === undefined ? [] : [inside];
}

/** What stands between fences, line by line; a fence that is not closed holds nothing. */
function fenced(text: string): readonly string[] {
  const blocks: string[] = [];
  let open: string[] | null = null;
  for (const line of text.split(/\r?\n/)) {
    const mark = line.trim();
    if (open === null) {
      if (/^```[\w-]*$/.test(mark)) open = [];
    } else if (mark === "```") {
      blocks.push(open.join("\n"));
      open = null;
    } else open.push(line);
  }
  return blocks;
}

function parsed(text: string): Json | undefined {
  // Most of what is no JSON shows at once, and an error is dear.
  if (!/^\s*[[{"tfn\d-]/.test(text)) return undefined;
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
