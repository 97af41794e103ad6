/** Reads an argv against a program's grammar; the first thing that is not in the table is the refusal. */
import type { CommandCode } from "../errors.ts";
import { quoted } from "../text.ts";
import { type Flag, flagTable, type Grammar, whyRefused } from "./grammar.ts";
import { checkKind } from "./kinds.ts";
import { checkOperand, type Place, type Refusal } from "./operand.ts";

/** What the entries of the list say about this line. */
export interface Entry {
  /** So many first words are spelled out. */
  readonly covered: number;
  /** Some entry ends in `*`. */
  readonly open: boolean;
}

export interface Parsed {
  /** Of the subcommand, if there is one. */
  readonly grammar: Grammar;
  readonly flags: ReadonlySet<Flag>;
  /** Subcommands and operands, in order. */
  readonly words: readonly string[];
  readonly operands: readonly string[];
  /** Where in the argv each operand stands. */
  readonly operandsAt: readonly number[];
  /** So many of the words are subcommands. */
  readonly depth: number;
  /** Where `--` ends the flags, or the length of the argv. */
  readonly dashes: number;
}

interface Reading {
  readonly argv: readonly string[];
  readonly entry: Entry;
  readonly place: Place;
  readonly flags: Set<Flag>;
  readonly words: string[];
  readonly operands: string[];
  readonly operandsAt: number[];
  /** Of the program; `grammar` is that of the subcommand once it is read. */
  readonly top: Grammar;
  grammar: Grammar;
  /** The word that is read. */
  at: number;
  dashes: number;
}

export function parseCommand(
  argv: readonly string[],
  grammar: Grammar,
  entry: Entry,
  place: Place,
): Parsed | Refusal {
  const reading: Reading = {
    argv,
    entry,
    place,
    top: grammar,
    grammar,
    at: 1,
    dashes: argv.length,
    flags: new Set(),
    words: [],
    operands: [],
    operandsAt: [],
  };
  for (; reading.at < argv.length; reading.at++) {
    const found = readWord(reading, argv[reading.at] ?? "");
    if (found !== null) return found;
  }
  const { flags, words, operands, operandsAt, dashes } = reading;
  const depth = words.length - operands.length;
  return (
    wholeProblem(reading) ?? { grammar: reading.grammar, flags, words, operands, operandsAt, depth, dashes }
  );
}

function readWord(reading: Reading, word: string): Refusal | null {
  const { grammar, dashes, at } = reading;
  if (grammar.style === "text") return null;
  if (at > dashes || !word.startsWith("-") || word === "-") {
    if (reading.grammar.subcommands !== undefined) return subcommand(reading, word);
    const bundled = grammar.bundle === true && at === 1 && /^[A-Za-z]+$/.test(word);
    return bundled ? shortFlags(reading, `-${word}`, true) : operand(reading, word);
  }
  if (word === "--") {
    // find goes on reading flags after it; before a subcommand each program has its own idea.
    if (grammar.style === "whole" || grammar.subcommands !== undefined) return unknownFlag(reading, word);
    reading.dashes = at;
    return null;
  }
  if (grammar.digits === true && /^-\d{1,18}$/.test(word)) return null;
  if (word.startsWith("--") || grammar.style === "whole") return longFlag(reading, word);
  return shortFlags(reading, word, false);
}

function subcommand(reading: Reading, word: string): Refusal | null {
  const { grammar, argv, at, entry } = reading;
  const next = Object.hasOwn(grammar.subcommands ?? {}, word) ? grammar.subcommands?.[word] : undefined;
  if (next === undefined) {
    return refusal(
      "subcommand",
      `${quoted([...argv.slice(0, at), word].join(" "))} ${whyRefused(grammar, word) ?? "is not a subcommand that is known to be safe"}.`,
    );
  }
  if (next.code === true && at >= entry.covered) return needsEntry(argv.slice(0, at + 1).join(" "));
  reading.words.push(word);
  reading.grammar = next;
  return null;
}

function operand(reading: Reading, word: string): Refusal | null {
  const { grammar, argv, at, dashes, entry } = reading;
  const { operands = {} } = grammar;
  if (reading.operands.length === 0 && operands.never?.includes(word) === true) {
    return refusal("operand", `${reading.argv[0]} takes ${quoted(word)} for something else than a file.`);
  }
  if (operands.onlyWith !== undefined && !given(reading, operands.onlyWith)) {
    return refusal(
      "operand",
      `${argv.join(" ")} may change something; write ${operands.onlyWith.join(" or ")} first.`,
    );
  }
  if (grammar.codeOperands === true && at >= entry.covered && !entry.open) {
    return needsEntry(`${reading.argv[0]} ${word}`);
  }
  const leads = reading.operands.length === 0 && !given(reading, operands.firstUnless);
  const kind =
    (leads ? operands.first : undefined) ?? (at > dashes ? operands.afterDashes : undefined) ?? operands.rest;
  reading.operands.push(word);
  reading.operandsAt.push(at);
  reading.words.push(word);
  if (kind === undefined || reading.operands.length > (operands.max ?? Number.POSITIVE_INFINITY)) {
    return refusal("operand", `${reading.argv[0]} takes no argument ${quoted(word)} here.`);
  }
  const found = checkKind(kind, word, reading.place);
  if (found !== null) return found;
  return grammar.style === "first" ? theRest(reading) : null;
}

/** What follows belongs to the project's program. */
function theRest(reading: Reading): Refusal | null {
  const kind = reading.grammar.operands?.rest ?? "free";
  while (++reading.at < reading.argv.length) {
    const word = reading.argv[reading.at] ?? "";
    reading.words.push(word);
    reading.operands.push(word);
    reading.operandsAt.push(reading.at);
    const found = checkKind(kind, word, reading.place);
    if (found !== null) return found;
  }
  return null;
}

function longFlag(reading: Reading, word: string): Refusal | null {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word : word.slice(0, equals);
  const flag = flagTable(reading.grammar).get(name);
  if (flag === undefined) return unknownFlag(reading, name);
  return useFlag(reading, flag, name, equals === -1 ? null : word.slice(equals + 1));
}

/** `-la`, `-n5`, `-rn pattern`: the first flag that takes a value takes the rest of the word. */
function shortFlags(reading: Reading, word: string, bundled: boolean): Refusal | null {
  const table = flagTable(reading.grammar);
  for (let i = 1; i < word.length; i++) {
    const name = `-${String.fromCodePoint(word.codePointAt(i) ?? 0)}`;
    const flag = table.get(name);
    if (flag === undefined) return unknownFlag(reading, name);
    const rest = word.slice(i + 1);
    if (flag.takes === "nothing") {
      const found = useFlag(reading, flag, name, null);
      if (found !== null) return found;
      continue;
    }
    if (bundled && rest !== "")
      return refusal("flag", `Write the flags of ${quoted(word.slice(1))} with a dash.`);
    return useFlag(reading, flag, name, rest === "" ? null : rest);
  }
  return null;
}

function useFlag(reading: Reading, flag: Flag, name: string, attached: string | null): Refusal | null {
  const { argv, entry } = reading;
  reading.flags.add(flag);
  let value = attached;
  if (value === null && ["value", "rest", "next"].includes(flag.takes)) {
    value = argv[reading.at + 1] ?? null;
    if (value !== null) reading.at++;
    else if (flag.takes !== "next") return refusal("flag_value", `The flag ${name} needs a value.`);
    const mayHaveDash = flag.kind === "pattern" || flag.kind === "number" || flag.kind === "sed";
    if (value?.startsWith("-") === true && value !== "-" && !mayHaveDash) {
      return refusal("flag_value", `The value ${quoted(value)} of ${name} looks like a flag.`);
    }
  } else if (value !== null && (flag.takes === "nothing" || flag.takes === "rest")) {
    return refusal("flag_value", `The flag ${name} takes no value ${quoted(value)} like this.`);
  }
  if (value === null && flag.takes === "attached") {
    return refusal("flag_value", `The flag ${name} needs its value in the same word.`);
  }
  if (flag.code && reading.at >= entry.covered) return needsEntry(argv.slice(0, reading.at + 1).join(" "));
  const found = value === null ? null : checkKind(flag.kind, value, reading.place);
  if (found !== null) return found.code === "operand" ? { ...found, code: "flag_value" } : found;
  return flag.takes === "rest" ? theRest(reading) : null;
}

/** What only the whole line shows. */
function wholeProblem(reading: Reading): Refusal | null {
  const { grammar, argv, operands, place } = reading;
  const program = argv[0] ?? "";
  if (grammar.requires !== undefined && !given(reading, grammar.requires)) {
    return refusal("operand", `${program} may run only with ${grammar.requires.join(" or ")}.`);
  }
  const min = given(reading, grammar.operands?.minUnless) ? 0 : (grammar.operands?.min ?? 0);
  if (operands.length < min)
    return refusal("operand", `${program} needs ${min === 1 ? "an argument" : `${min} arguments`}.`);
  if (
    grammar.codeOperands === true &&
    operands.length === 0 &&
    !given(reading, grammar.operands?.minUnless)
  ) {
    return needsEntry(`${program} TARGET`);
  }
  const isFound = grammar.codeUnless !== undefined && !given(reading, grammar.codeUnless);
  if (isFound && reading.entry.covered < 2 && !reading.entry.open) {
    const line = quoted(argv.join(" "));
    return refusal(
      "needs_entry",
      `${line} runs code that ${program} finds in the project; that needs an entry of several words, such as "${program} *".`,
    );
  }
  if (grammar.paired !== true) return null;
  const [a = "", b = ""] = operands;
  return checkOperand(`${a}/${baseName(b)}`, place) ?? checkOperand(`${b}/${baseName(a)}`, place);
}

function baseName(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) ?? "";
}

export function given(
  { grammar, flags }: Pick<Parsed, "grammar" | "flags">,
  names: readonly string[] | undefined,
): boolean {
  if (names === undefined) return false;
  const table = flagTable(grammar);
  return names.some((name) => {
    const flag = table.get(name);
    return flag !== undefined && flags.has(flag);
  });
}

function unknownFlag(reading: Reading, name: string): Refusal {
  const { grammar, argv, words, operands } = reading;
  const command = [argv[0], ...words.slice(0, words.length - operands.length)].join(" ");
  const why =
    whyRefused(grammar, name) ?? whyRefused(reading.top, name) ?? "is not a flag that is known to be safe";
  return refusal("flag", `The flag ${quoted(name)} of ${command} ${why}.`);
}

function needsEntry(words: string): Refusal {
  return refusal(
    "needs_entry",
    `${quoted(words)} runs code of the project; that needs an entry which spells it out.`,
  );
}

function refusal(code: CommandCode, reason: string): Refusal {
  return { code, reason };
}
