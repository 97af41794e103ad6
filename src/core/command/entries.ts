/** Entries of the lists: `ls`, `git status`, `npm run lint`, `"mytool *"`. */
import { flagTable } from "./grammar.ts";
import { lex } from "./lex.ts";
import type { Entry, Parsed } from "./parse.ts";

export interface ListEntry {
  readonly words: readonly string[];
  /** It ended in `*`. */
  readonly open: boolean;
}

/** Null for an empty one, and for one that is no command line. */
export function readEntry(text: string): ListEntry | null {
  const found = lex(text, { placeholders: true });
  if ("code" in found) return null;
  const words = found.map((word) => word.text);
  return words.at(-1) === "*" ? { words: words.slice(0, -1), open: true } : { words, open: false };
}

/** One that is no command line denies all of its program. */
export function readDenial(text: string): ListEntry | null {
  const entry = readEntry(text);
  const [program = ""] = text.trim().split(/\s+/);
  return entry ?? (program === "" ? null : { words: [program], open: true });
}

/** The entries whose words the line begins with, taken together; null when there is none. */
export function matchEntries(entries: readonly ListEntry[], argv: readonly string[]): Entry | null {
  const matching = entries.filter((entry) => entry.words.length > 0 && beginsWith(argv, entry.words));
  if (matching.length === 0) return null;
  return {
    covered: Math.max(...matching.map((entry) => entry.words.length)),
    open: matching.some((entry) => entry.open),
  };
}

export function beginsWith(argv: readonly string[], words: readonly string[]): boolean {
  return words.length <= argv.length && words.every((word, i) => argv[i] === word);
}

/**
 * A denied command is one wherever its flags stand: `git log -p` denies `git --no-pager log --patch` as well, `make deploy`
 * also `make build deploy`. Of a program without a grammar, whatever has the entry's words in their order is denied.
 */
export function isDenied(entry: ListEntry, argv: readonly string[], parsed: Parsed | null): boolean {
  if (beginsWith(argv, entry.words)) return true;
  const [program, ...rest] = entry.words;
  if (program !== argv[0]) return false;
  if (parsed === null) return isWithin(rest, argv.slice(1));
  const names = rest.filter((word) => !word.startsWith("-"));
  const table = flagTable(parsed.grammar);
  const subcommands = parsed.words.slice(0, parsed.depth);
  return (
    beginsWith(parsed.words, names.slice(0, subcommands.length)) &&
    isWithin(names.slice(subcommands.length), parsed.words.slice(subcommands.length)) &&
    rest.every((word) => {
      const flag = table.get(word);
      return names.includes(word) || argv.includes(word) || (flag !== undefined && parsed.flags.has(flag));
    })
  );
}

/** True when the words occur in this order, whatever stands between them. */
function isWithin(words: readonly string[], argv: readonly string[]): boolean {
  let at = 0;
  for (const word of argv) if (word === words[at] || word.startsWith(`${words[at]}=`)) at++;
  return at >= words.length;
}
