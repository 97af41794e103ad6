/**
 * May this command line run? (SAFETY "Commands".) It makes refusals understandable; the sandbox is the boundary. Nothing
 * is started here: the answer is the argv to start without a shell.
 */
import { completeArgv } from "./command/complete.ts";
import { isDenied, type ListEntry, matchEntries, readDenial, readEntry } from "./command/entries.ts";
import { lex, type Word } from "./command/lex.ts";
import { checkKind } from "./command/kinds.ts";
import { checkOperand, limitLooks, type Place, type Refusal } from "./command/operand.ts";
import { type Parsed, parseCommand } from "./command/parse.ts";
import { PROGRAMS, REFUSED_PROGRAMS } from "./command/programs.ts";
import { COMMAND_CODES, type CommandCode } from "./errors.ts";
import { foldName } from "./paths.ts";
import { quoted } from "./text.ts";
import { belowRoot, type PathFs } from "./walk-path.ts";

export interface CommandOptions {
  /** `ls`: the safe part of a program. `npm test`: these first words, also when they run project code. `mytool *`: a program nobody has a grammar for, with any arguments. */
  readonly allow: readonly string[];
  /** Wins over `allow`. */
  readonly deny?: readonly string[];
  /** Absolute. Path operands must stay inside. */
  readonly root: string;
  /** Where the command will run, below the root. Default: the root. */
  readonly cwd?: string;
  /** Without it only the text of paths is judged. */
  readonly fs?: PathFs;
}

export interface CommandVerdict {
  readonly allowed: boolean;
  readonly code: CommandCode;
  readonly reason: string;
  /** What to start; flags that keep the program to its safe part may have been added. Only of an allowed line. */
  readonly argv?: string[];
}

export function checkCommand(line: string, options: CommandOptions): CommandVerdict {
  // Plain JavaScript may hand over something else.
  if (typeof line !== "string") return refused({ code: "empty", reason: "The command is no text." });
  const words = lex(line);
  if ("code" in words) {
    const { code, what, at } = words;
    const reason = at === null ? what : `The command contains ${what} at character ${at + 1}.`;
    return refused({ code, reason });
  }
  const root = options.root.replace(/\/+$/, "");
  const { cwd = "" } = options;
  const fs = options.fs && limitLooks(options.fs);
  const place: Place = { root, cwd: belowRoot(cwd, root) ?? cwd, fs };
  const away = cwd === "" ? null : checkOperand(cwd, { ...place, cwd: "" });
  if (away !== null) return refused(away);
  return (
    wordsProblem(words, options) ??
    judge(
      words.map((word) => word.text),
      options,
      place,
    )
  );
}

function refused({ code, reason }: Refusal): CommandVerdict {
  return { allowed: false, code, reason };
}

function no(code: CommandCode, reason: string): CommandVerdict {
  return refused({ code, reason });
}

const DASHES = /^(?!-)[\p{Pd}\u2043\u207B\u208B\u2212\u02D7\u06D4\u2796\u2CBA\uFE63\uFF0D]/u;

/** The program's name, and words that only look like flags. */
function wordsProblem(words: readonly Word[], options: CommandOptions): CommandVerdict | null {
  const [program] = words;
  if (program === undefined) return no("empty", COMMAND_CODES.empty);
  if (/^[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=/.test(program.raw)) {
    return no("env_prefix", `${quoted(program.raw)} would set a variable; variables cannot be set here.`);
  }
  const dash = words.find((word) => DASHES.test(word.text));
  if (dash !== undefined)
    return no("foreign_dash", `${quoted(dash.text)} begins with a dash that is not "-".`);
  if (/[/\\]/.test(program.text)) {
    return no("program_path", `${quoted(program.text)} is a path; write the program's bare name.`);
  }
  if (program.raw !== program.text) {
    return no("program_quoted", `The program's name ${program.raw} is quoted or escaped; write it plainly.`);
  }
  if (/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(program.text)) return null;
  const listed = options.allow.map((entry) => readEntry(entry)?.words[0] ?? "");
  const folded = foldName(program.text);
  const alike = /[^ -~]/.test(program.text) || listed.some((name) => foldName(name) === folded);
  return alike
    ? no("look_alike", `${quoted(program.text)} is not the program it looks like.`)
    : no("not_allowed", `${quoted(program.text)} is not the name of a program.`);
}

function judge(argv: readonly string[], options: CommandOptions, place: Place): CommandVerdict {
  const [program = ""] = argv;
  const deny = (options.deny ?? []).map(readDenial).filter((entry) => entry !== null);
  const allow = options.allow.map(readEntry).filter((entry) => entry !== null);
  if (isDeniedBy(deny, argv, null)) return denied(argv);
  if (Object.hasOwn(REFUSED_PROGRAMS, program)) {
    return no("program_refused", `${program} ${REFUSED_PROGRAMS[program]}; it cannot be allowed.`);
  }
  const entry = matchEntries(allow, argv);
  if (entry === null) return notAllowed(argv, allow);
  const grammar = Object.hasOwn(PROGRAMS, program) ? PROGRAMS[program] : undefined;
  if (grammar === undefined) return judgeUnknown(argv, allow, deny, place);
  const parsed = parseCommand(argv, grammar, entry, place);
  if ("code" in parsed) return refused(parsed);
  if (isDeniedBy(deny, argv, parsed)) return denied(argv);
  return { allowed: true, code: "ok", reason: COMMAND_CODES.ok, argv: completeArgv(argv, parsed, place) };
}

/** Before the line is parsed only its beginning can be compared, except for programs that are never parsed. */
function isDeniedBy(deny: readonly ListEntry[], argv: readonly string[], parsed: Parsed | null): boolean {
  const hasGrammar = Object.hasOwn(PROGRAMS, argv[0] ?? "");
  return deny.some((entry) => {
    if (entry.words.length === 0) return entry.open;
    return parsed === null && hasGrammar
      ? entry.words.every((word, i) => argv[i] === word)
      : isDenied(entry, argv, parsed);
  });
}

function denied(argv: readonly string[]): CommandVerdict {
  return no("denied", `${quoted(argv.join(" "))} is on the list of denied commands.`);
}

function notAllowed(argv: readonly string[], allow: readonly ListEntry[]): CommandVerdict {
  const [program = ""] = argv;
  const folded = foldName(program);
  if (allow.some((entry) => entry.words[0] !== program && foldName(entry.words[0] ?? "") === folded)) {
    return no("look_alike", `${quoted(program)} is not spelled like the program on the list.`);
  }
  const near = allow
    .filter((entry) => entry.words[0] === program)
    .map((entry) => quoted(entry.words.join(" ")));
  const instead = near.length === 0 ? "" : ` Of ${program}, only ${near.join(", ")}.`;
  return no("not_allowed", `${quoted(argv.join(" "))} is not on the list of allowed commands.${instead}`);
}

/** A program without a grammar: exactly the entry's words, or any after them when it ends in `*`. */
function judgeUnknown(
  argv: readonly string[],
  allow: readonly ListEntry[],
  deny: readonly ListEntry[],
  place: Place,
): CommandVerdict {
  const [program = ""] = argv;
  const matching = allow.filter((entry) => matchEntries([entry], argv) !== null);
  const fits = matching.some(
    (entry) => entry.open || (entry.words.length > 1 && entry.words.length === argv.length),
  );
  if (!fits) {
    return no(
      "no_grammar",
      `Nothing is known about ${program}: an entry such as "${program} *" must say how it may run.`,
    );
  }
  if (isDeniedBy(deny, argv, null)) return denied(argv);
  for (const word of argv.slice(1)) {
    const found = checkKind("free", word, place);
    if (found !== null) return refused(found);
  }
  return { allowed: true, code: "ok", reason: COMMAND_CODES.ok, argv: [...argv] };
}
