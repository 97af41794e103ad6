/**
 * What a program may be asked: a table, not code. A flag is one line: its names, then what its value is.
 * `"-n --lines =number"` takes one (attached or as the next word), `"-U =!number"` only attached, `"--color =?word"`
 * perhaps attached, `"-l"` none, `"-m =>word"` one as the next word, and what follows belongs to it, `"--merged =~revision"` the next word if there is one. A leading `!` marks a flag that runs project code: an entry must spell it out.
 */
import { OxbowError } from "../errors.ts";
import { isKind, type Kind } from "./kinds.ts";

export interface Operands {
  /** Of the first operand, unless one of `firstUnless` was given. */
  readonly first?: Kind;
  readonly firstUnless?: readonly string[];
  /** Of the others; without it there may be no others. */
  readonly rest?: Kind;
  /** Of what comes after `--`; default: as before it. */
  readonly afterDashes?: Kind;
  readonly min?: number;
  /** With one of these there need be none. */
  readonly minUnless?: readonly string[];
  readonly max?: number;
  /** There may be operands only with one of these. */
  readonly onlyWith?: readonly string[];
  /** Texts that mean something else to the program when they stand first. */
  readonly never?: readonly string[];
}

export interface Grammar {
  /** Each a line, or several with `|` between them; a later one of the same name wins. */
  readonly flags?: readonly string[];
  /** Flags and subcommands people try, and what is wrong with them: only to say so. */
  readonly refused?: readonly (readonly [why: string, names: string])[];
  readonly operands?: Operands;
  readonly subcommands?: Readonly<Record<string, Grammar>>;
  /**
   * `getopt` (default): `-la`, `-n5`, `--name=value`, flags anywhere; `whole`: `-name` is one flag; `first`: like getopt,
   * but what follows the first operand belongs to it; `text`: every word is text.
   */
  readonly style?: "getopt" | "whole" | "first" | "text";
  /** `-5` is a flag. */
  readonly digits?: boolean;
  /** The first word may be a bundle of short flags without a dash. */
  readonly bundle?: boolean;
  /** One of these must be there. */
  readonly requires?: readonly string[];
  /** Runs project code: this word must be spelled out by an entry. */
  readonly code?: boolean;
  /** Each operand must be spelled out by an entry. */
  readonly codeOperands?: boolean;
  /** The program itself runs what it finds in the project: an entry of one word covers it only with one of these. */
  readonly codeUnless?: readonly string[];
  /** Two operands, of which a directory stands for the file in it that is named like the other. */
  readonly paired?: boolean;
  readonly complete?: Completion;
  readonly guard?: Guard;
}

/**
 * Of git: how a line is kept from showing files of secrets that it does not name, since history and index hold them, too.
 */
export interface Guard {
  /** With one of these flags the content of files is shown. */
  readonly shows?: readonly string[];
  /** It is shown anyway, unless only these are given. */
  readonly silent?: readonly string[];
  /** With one of these git takes no other path than those that are named. */
  readonly alone?: readonly string[];
  /** With one of these git takes exactly one path. */
  readonly single?: readonly string[];
  /** Added when no path is given, so that no commit is left out. */
  readonly whole?: readonly string[];
  /** The object ids among the operands must be commits, unless one of these is given: a file has an id, too. */
  readonly commitsUnless?: readonly string[];
}

/** Flags that are added to the argv: always, when one of `when` was given, or when an operand is a directory. */
export interface Completion {
  readonly when?: readonly string[];
  readonly forDirectories?: boolean;
  /** Right after the program; otherwise behind the other flags, since the last of a kind wins. */
  readonly first?: boolean;
  readonly add: readonly string[];
}

export interface Flag {
  readonly names: readonly string[];
  readonly takes: "nothing" | "value" | "attached" | "optional" | "rest" | "next";
  readonly kind: Kind;
  readonly code: boolean;
}

const TAKES: Readonly<Record<string, Flag["takes"]>> = {
  "?": "optional",
  "!": "attached",
  ">": "rest",
  "~": "next",
};

const tables = new WeakMap<Grammar, ReadonlyMap<string, Flag>>();

/** The flags of a grammar by each of their names. */
export function flagTable(grammar: Grammar): ReadonlyMap<string, Flag> {
  const known = tables.get(grammar);
  if (known !== undefined) return known;
  const table = new Map<string, Flag>();
  for (const line of (grammar.flags ?? []).flatMap((lines) => lines.split("|"))) {
    const flag = readFlag(line);
    for (const name of flag.names) table.set(name, flag);
  }
  tables.set(grammar, table);
  return table;
}

function readFlag(line: string): Flag {
  const words = line.split(" ");
  const value = words.find((word) => word.startsWith("="));
  const names = words.filter((word) => word.startsWith("-"));
  const code = words[0] === "!";
  if (value === undefined) return { names, takes: "nothing", kind: "text", code };
  const takes = TAKES[value.charAt(1)] ?? "value";
  return { names, takes, kind: asKind(value.replace(/^=[?!>~]?/, "")), code };
}

function asKind(text: string): Kind {
  if (isKind(text)) return text;
  throw new OxbowError("internal", `The flag tables use a kind of value that does not exist: ${text}.`);
}

/** What is wrong with a flag or a subcommand, when that is known. */
export function whyRefused(grammar: Grammar, name: string): string | undefined {
  return grammar.refused?.find(([, names]) => names.split(" ").includes(name))?.[0];
}
