/** The flags that keep an allowed program to its safe part. */
import { flagTable } from "./grammar.ts";
import { mayBeDirectory, type Place } from "./operand.ts";
import type { Parsed } from "./parse.ts";

/** The argv to start. Without a completion in the grammar it is the words as they were written. */
export function completeArgv(argv: readonly string[], parsed: Parsed, place: Place): string[] {
  const { complete } = parsed.grammar;
  const result = [...argv];
  if (complete === undefined || !isWanted(parsed, place)) return result;
  const given = argv.slice(1, parsed.dashes);
  if (complete.first !== true) result.splice(parsed.dashes, 0, ...complete.add);
  else result.splice(1, 0, ...complete.add.filter((flag) => !given.includes(flag)));
  return result;
}

function isWanted({ grammar, flags, operands }: Parsed, place: Place): boolean {
  const { when, forDirectories } = grammar.complete ?? {};
  if (forDirectories === true) return operands.some((operand) => mayBeDirectory(operand, place));
  if (when === undefined) return true;
  const table = flagTable(grammar);
  return when.some((name) => {
    const flag = table.get(name);
    return flag !== undefined && flags.has(flag);
  });
}
