/**
 * Git shows files that nobody named: `git diff`, `git log -p`, `git grep` read every tracked one. What could show content
 * gets pathspecs that leave secrets out, and an object id must be a commit's, since a file of secrets has one as well.
 */
import type { Guard } from "./grammar.ts";
import { isExampleName, kindOnDisk, type Place } from "./operand.ts";
import { given, type Parsed } from "./parse.ts";

const MAGIC = ":(top,exclude,icase,glob)**/.env*";
/** Below a folder that is named like a secret. */
const INSIDE = `${MAGIC}/**`;

export function guardArgv(argv: readonly string[], parsed: Parsed, guard: Guard, place: Place): string[] {
  const result = argv.map((word, at) =>
    isRevision(at, parsed, guard) ? asCommit(word, at, parsed, place) : word,
  );
  const shows = given(parsed, guard.shows) || (guard.silent !== undefined && !given(parsed, guard.silent));
  if (!shows || given(parsed, guard.alone)) return result;
  const paths = pathsAmong(argv, parsed, place);
  const files = paths.length > 0 && paths.every((path) => kindOnDisk(path, place) === "file");
  if (files && given(parsed, guard.single)) return result;
  const examples = paths.length > 0 && paths.every((path) => isExampleName(path.split("/").at(-1) ?? ""));
  if (paths.length === 0) result.splice(parsed.dashes, 0, ...(guard.whole ?? []));
  return [...result, ...(examples ? [INSIDE] : [MAGIC, INSIDE])];
}

/** The operands that git would take for paths, as far as anybody can tell. */
function pathsAmong(argv: readonly string[], parsed: Parsed, place: Place): readonly string[] {
  const { dashes, operands } = parsed;
  const after = argv.length - dashes - 1;
  const named = operands.slice(patterns(parsed));
  if (after >= 0) return named.slice(Math.max(0, named.length - after));
  return named.filter((word) => /^:|[*?[]/.test(word) || kindOnDisk(word, place) !== "missing");
}

/** So many of the operands are what is looked for, not where. */
function patterns({ grammar, flags }: Parsed): number {
  const { first, firstUnless } = grammar.operands ?? {};
  return first === undefined || given({ grammar, flags }, firstUnless) ? 0 : 1;
}

function isRevision(at: number, parsed: Parsed, guard: Guard): boolean {
  if (guard.commitsUnless === undefined || given(parsed, guard.commitsUnless) || at > parsed.dashes)
    return false;
  return parsed.operandsAt.indexOf(at) >= patterns(parsed);
}

/** Of an object id, or what `git describe` would call it, with whatever peels no further than to a file. */
const OBJECT = /^(\^?(?:[^:]*-g)?[0-9a-f]{4,64})(?:\^\{(?:object|blob)?\})*$/i;

/** A file that is named like an object id is left alone: git refuses a word that is both. */
function asCommit(word: string, at: number, { dashes }: Parsed, place: Place): string {
  const ends = word.split(/(\.{2,3})/);
  if (!ends.some((end) => OBJECT.test(end))) return word;
  const isPath = dashes > at && ["file", "directory"].includes(kindOnDisk(word, place));
  return isPath ? word : ends.map((end) => end.replace(OBJECT, "$1^{commit}")).join("");
}
