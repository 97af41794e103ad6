/** The flags that keep an allowed program to its safe part. */
import { guardArgv } from "./git-guard.ts";
import { mayBeDirectory, type Place } from "./operand.ts";
import { given, type Parsed } from "./parse.ts";

/** The argv to start. Without a completion in the grammar it is the words as they were written. */
export function completeArgv(argv: readonly string[], parsed: Parsed, place: Place): string[] {
  const { complete, guard } = parsed.grammar;
  if (guard !== undefined) return guardArgv(argv, parsed, guard, place);
  const result = [...argv];
  if (complete === undefined || !isWanted(parsed, place)) return result;
  const given = argv.slice(1, parsed.dashes);
  if (complete.first !== true) result.splice(parsed.dashes, 0, ...complete.add);
  else result.splice(1, 0, ...complete.add.filter((flag) => !given.includes(flag)));
  return result;
}

function isWanted(parsed: Parsed, place: Place): boolean {
  const { when, forDirectories } = parsed.grammar.complete ?? {};
  if (forDirectories === true) return parsed.operands.some((operand) => mayBeDirectory(operand, place));
  return when === undefined || given(parsed, when);
}
