/** Arguments nobody has a grammar for: whatever in them could be a path must stay inside. */
import { checkOperand, type Place, type Refusal, refuseWord } from "./operand.ts";

/** What may stand between a path and the rest of a word. */
const SEPARATORS = /[=,:;@\s'"`()[\]{}|<>&!#$*?]+/;

/**
 * Every part of the word that a program might open: all of it, what comes after `=`, `:`, `,`, `@` …, and what is glued to
 * a short flag (`-I../x`). An `http` address is no path.
 */
export function checkFree(word: string, place: Place): Refusal | null {
  if (word === "" || word === "-" || word === "--") return null;
  const text = word.replace(/(?<![A-Za-z0-9+.-])https?:\/\/(?=[A-Za-z0-9])/gi, "");
  const parts = new Set([text, ...text.split(SEPARATORS)]);
  if (text.startsWith("-")) {
    const name = text.split("=", 1)[0] ?? "";
    if (name.includes("/")) return refuseWord(word, "glues a path to a flag; write it as a word of its own");
    parts.add(text.slice(2));
  }
  for (const part of parts) {
    if (part === "" || /^-+$/.test(part)) continue;
    if (/^~/.test(part)) return refuseWord(word, "names a home directory");
    const found = checkOperand(part, place);
    if (found !== null) return found;
  }
  return null;
}
