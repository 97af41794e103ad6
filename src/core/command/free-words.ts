/** Arguments that a program may take apart or expand: whatever in them could be a path must stay inside. */
import { checkOperand, type Place, type Refusal, refuseWord } from "./operand.ts";

/** What may stand between a path and the rest of a word. */
const SEPARATORS = /[=,:;@\s'"`()[\]{}|<>&!#$+%^]+/;

/**
 * Every part of the word that a program might open: all of it, what comes after `=`, `:`, `,`, `@` …, and what is glued to
 * a short flag (`-I../x`). An `http` address is no path.
 */
export function checkFree(word: string, place: Place): Refusal | null {
  if (word === "" || word === "-" || word === "--") return null;
  const text = word.replace(/(?<![A-Za-z0-9+.-])https?:\/\/(?=[A-Za-z0-9])/gi, "");
  const expanded = expandBraces(text);
  if (expanded === null) return refuseWord(word, "has braces that are too much to look through");
  const parts = new Set([...expanded, ...text.split(SEPARATORS)]);
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

/** A path for a program that expands `{a,b}` itself. */
export function checkGlob(word: string, place: Place): Refusal | null {
  const expanded = expandBraces(word);
  if (expanded === null) return refuseWord(word, "has braces that are too much to look through");
  for (const path of [word, ...expanded]) {
    const found = checkOperand(path, place);
    if (found !== null) return found;
  }
  return null;
}

const MAX_EXPANDED = 64;

/** All that `{a,b}` can stand for, from the inside out; null for ranges and for more than can be looked at. */
function expandBraces(text: string): readonly string[] | null {
  const done: string[] = [];
  const pending = [text];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const braces = /\{([^{}]*)\}/.exec(next);
    if (braces === null) {
      done.push(next.replaceAll("\u0001", "{").replaceAll("\u0002", "}"));
    } else {
      const body = braces[1] ?? "";
      const isRange = !body.includes(",") && body.includes("..");
      const alternatives = body.includes(",") ? body.split(",") : [`\u0001${body}\u0002`];
      if (isRange || done.length + pending.length + alternatives.length > MAX_EXPANDED) return null;
      const after = next.slice(braces.index + braces[0].length);
      for (const each of alternatives) pending.push(next.slice(0, braces.index) + each + after);
    }
  }
  return done;
}
