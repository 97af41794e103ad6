/** The kinds of values and operands: what each may look like, whatever the program does with it. */
import { diffSide, gitFormat, lineRange, pathspec, revision, revisionOrPath } from "./git-words.ts";
import { checkFree, checkGlob } from "./free-words.ts";
import { checkOperand, type Place, type Refusal, refuseWord } from "./operand.ts";
import { checkSedScript } from "./sed-script.ts";

type Check = (text: string, place: Place) => Refusal | null;

const path: Check = (text, place) => (text === "-" ? null : checkOperand(text, place));

function matching(pattern: RegExp, why: string): Check {
  return (text) => (pattern.test(text) ? null : refuseWord(text, why));
}

const FROM_FILE = "would make the program read arguments from a file";

const KINDS = {
  /** Whatever the program takes it for, it is no path and no command. */
  text: () => null,
  /** Like text, and may begin with a dash when it is a word of its own. */
  pattern: () => null,
  number: matching(/^[+-]?\d{1,18}(?:\.\d{1,9})?[A-Za-z%]{0,3}$/, "is not a number"),
  word: matching(/^[A-Za-z0-9_][A-Za-z0-9_.,:+=@-]*$/, "is not a plain word"),
  /** `-` is standard input, which is closed. */
  path,
  /** A program to run: not standard input. */
  file: (text, place) => (text === "-" ? refuseWord(text, "is standard input") : checkGlob(text, place)),
  glob: checkGlob,
  /** tar takes what stands before a colon for a machine. */
  archive: (text, place) =>
    text.includes(":") ? refuseWord(text, "would be looked for on another machine") : path(text, place),
  /** `tests/test_a.py::TestB::test_c[x/y]`. */
  test_id: (text, place) =>
    text.startsWith("@") ? refuseWord(text, FROM_FILE) : path(text.split("::", 1)[0] ?? "", place),
  source: (text, place) => (text.startsWith("@") ? refuseWord(text, FROM_FILE) : path(text, place)),
  /** A Go package of this module: `./...`, `./cmd/x`, `fmt`. */
  package: (text, place) =>
    /[@:]/.test(text) ? refuseWord(text, "would be fetched from elsewhere") : checkOperand(text, place),
  /** `react`, `@types/node`, `react@18`. */
  npm_name: matching(
    /^(?:@[A-Za-z0-9_][\w.-]*\/)?[A-Za-z0-9_][\w.-]*(?:@[\w.^~<>=-]+)?$/,
    "is not a package's name",
  ),
  target: matching(/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/, "is not a plain target"),
  /** Where pretty-printers name what they print with; a name that loads nothing. */
  eslint_format: matching(/^(?:stylish|json|html|json-with-metadata)$/, "may load code"),
  node_reporter: matching(/^(?:spec|tap|dot|junit|lcov)$/, "may load code"),
  python_option: matching(/^(?:dev|utf8(?:=[01])?|faulthandler|importtime|no_debug_ranges)$/, "is not safe"),
  python_warning: matching(/^(?:default|error|always|module|once|ignore)$/, "may import code"),
  grep_action: matching(/^(?:read|skip)$/, "is not `read` or `skip`"),
  sed: checkSedScript,
  git_format: gitFormat,
  revision,
  pathspec,
  revision_or_path: revisionOrPath,
  diff_side: diffSide,
  line_range: lineRange,
  free: checkFree,
} as const satisfies Record<string, Check>;

export type Kind = keyof typeof KINDS;

export function isKind(text: string): text is Kind {
  return Object.hasOwn(KINDS, text);
}

/** Why the word is not of this kind, or null. */
export function checkKind(kind: Kind, text: string, place: Place): Refusal | null {
  return KINDS[kind](text, place);
}
