/** Git's grammar: what looks at history, index and tree. Nothing that moves refs, index, tree or config, and no remotes. */
import type { Grammar, Guard, Operands } from "./grammar.ts";

const REVISIONS: Operands = { rest: "revision_or_path", afterDashes: "pathspec" };
const PATHS: Operands = { rest: "pathspec" };

type Refused = NonNullable<Grammar["refused"]>;

const RUNS = "runs a program";
const OUTSIDE = "works outside the repository";
const CHANGES = "changes the repository; that has a tool of its own";
const REMOTE = "is about other repositories, which agents do not reach";

const DIFF = [
  "-p -u --patch|-s --no-patch|-U --unified =!number|--stat =?word|--numstat|--shortstat|--summary",
  "--dirstat =?word|--compact-summary|--name-only|--name-status|--raw|--patch-with-stat",
  "--color =?word|--no-color|--color-moved =?word|--color-words =?pattern|--word-diff =?word",
  "--word-diff-regex =!pattern|--minimal|--patience|--histogram|--diff-algorithm =!word",
  "-w --ignore-all-space|-b --ignore-space-change|--ignore-space-at-eol|--ignore-blank-lines",
  "--ignore-cr-at-eol|-M --find-renames =?number|-C --find-copies =?number|--find-copies-harder",
  "--no-renames|-R|-a --text|-W --function-context|--inter-hunk-context =!number|--full-index",
  "--binary|--abbrev =?number|--diff-filter =!word|-S =text|-G =text|--pickaxe-all",
  "--pickaxe-regex|-z|--exit-code|--quiet|--check|--no-prefix|--src-prefix =!text",
  "--dst-prefix =!text|--relative =?path|--no-ext-diff|--no-textconv|--ignore-submodules =?word",
  "--stat-width =!number|--indent-heuristic|--no-indent-heuristic|-t|-r|--cc|-m",
];

const LOG = [
  "-n --max-count =number|--skip =number|--since --after =text|--until --before =text|--author =text",
  "--committer =text|--grep =text|--all-match|--invert-grep|-i --regexp-ignore-case",
  "-E --extended-regexp|-F --fixed-strings|-P --perl-regexp|--pretty =?git_format",
  "--format =!git_format|--oneline|--graph|--all|--branches =?text|--tags =?text|--remotes =?text",
  "--glob =!text|--exclude =!text|--decorate =?word|--no-decorate|--decorate-refs =!text",
  "--date =text|--relative-date|--date-order|--topo-order|--author-date-order|--reverse",
  "--first-parent|--merges|--no-merges|--min-parents =!number|--max-parents =!number|--follow",
  "--full-history|--simplify-merges|--simplify-by-decoration|--ancestry-path|--cherry",
  "--cherry-pick|--cherry-mark|--left-right|--left-only|--right-only|--boundary|--not",
  "--abbrev-commit|--no-abbrev-commit|--parents|--children|--source|--no-notes",
  "-g --walk-reflogs|--grep-reflog =text|-L =line_range|--no-walk =?word|--show-pulls",
  "--dense|--sparse|--remove-empty|--mailmap --use-mailmap|--no-mailmap|--encoding =!word",
];

const LIST = [
  "--sort =text|--format =git_format|--contains =~revision|--no-contains =~revision",
  "--merged =~revision|--no-merged =~revision|--points-at =revision|--color =?word|--column =?word",
  "--no-column|-i --ignore-case",
];

const DRIVERS: Refused = [[RUNS, "--ext-diff --textconv --show-signature"]];
const REFUSED: Refused = [
  ...DRIVERS,
  ["writes a file", "--output"],
  [OUTSIDE, "--no-index"],
  ["takes an order from a file", "-O"],
];

/** With one of these the content of files is shown, or can be found out by asking again and again. */
const SHOWS =
  "-p -U --patch-with-stat --cc -m --binary --check -S -G -W --color-words --word-diff --word-diff-regex".split(
    " ",
  );
const SILENT =
  "-s --stat --numstat --shortstat --summary --dirstat --compact-summary --name-only --name-status --raw".split(
    " ",
  );

const PATCHES: Guard = {
  shows: SHOWS,
  single: ["--follow"],
  alone: ["-L"],
  whole: ["--full-history", "--sparse"],
};

const log: Grammar = {
  flags: [...LOG, ...DIFF],
  operands: REVISIONS,
  digits: true,
  refused: [...REFUSED, ["shows files of secrets beside those that are named", "--full-diff"]],
  guard: PATCHES,
};

const GREP: Grammar = {
  flags: [
    "-n --line-number|-i --ignore-case|-l --files-with-matches --name-only|-L --files-without-match",
    "-c --count|-w --word-regexp|-v --invert-match|-E --extended-regexp|-G --basic-regexp",
    "-F --fixed-strings|-P --perl-regexp|-e =pattern|-f =path|-h|-H|-o --only-matching|-q --quiet",
    "-p --show-function|-W --function-context|-A --after-context =number|-B --before-context =number",
    "-C --context =number|--and|--or|--not|--all-match|--cached|--max-depth =number",
    "-r --recursive|--no-recursive|--break|--heading|--color =?word|--no-color|--column|-a --text|-I",
    "-z --null|--full-name|--threads =number|-m --max-count =number|--no-textconv",
  ],
  refused: [
    ...DRIVERS,
    [RUNS, "-O --open-files-in-pager"],
    [OUTSIDE, "--no-index"],
    ["reads files that Git does not keep", "--untracked --no-exclude-standard"],
  ],
  operands: { first: "text", firstUnless: ["-e", "-f"], ...REVISIONS },
  digits: true,
  guard: { silent: [], commitsUnless: [] },
};

const READS: Readonly<Record<string, Grammar>> = {
  log,
  // A commit is shown also when it touches nothing else than what is left out.
  show: { ...log, guard: { ...PATCHES, silent: SILENT, whole: ["--sparse"], commitsUnless: [] } },
  whatchanged: log,
  diff: {
    flags: [...DIFF, "--cached --staged", "--merge-base"],
    operands: { rest: "diff_side", afterDashes: "pathspec" },
    refused: REFUSED,
    guard: { shows: SHOWS, silent: SILENT, commitsUnless: [] },
  },
  "diff-tree": {
    flags: [...DIFF, "--root", "--no-commit-id", "--pretty =?git_format", "--format =!git_format"],
    operands: REVISIONS,
    refused: REFUSED,
    guard: { shows: SHOWS },
  },
  status: {
    flags: [
      "-s --short|-b --branch|--show-stash|--porcelain =?word|--long|-z",
      "-u --untracked-files =?word|--ignore-submodules =?word|--ignored =?word|--column =?word",
      "--no-column|--ahead-behind|--no-ahead-behind|--renames|--no-renames|--find-renames =?number",
    ],
    refused: [["shows the content of whatever changed; use git diff", "-v --verbose"]],
    operands: PATHS,
  },
  blame: {
    flags: [
      "-L =line_range|-l|-t|-s|-e --show-email|-w|-M =?number|-C =?number|--date =!text|-p --porcelain",
      "--line-porcelain|--incremental|--reverse|--first-parent|--root|-f --show-name|-n --show-number",
      "--color-lines|--color-by-age|--abbrev =?number|--ignore-rev =revision|--ignore-revs-file =path",
    ],
    refused: [["reads a file that may be elsewhere", "--contents"]],
    operands: REVISIONS,
  },
  grep: GREP,
  "ls-files": {
    flags: [
      "-c --cached|-d --deleted|-m --modified|-o --others|-i --ignored|-s --stage|-u --unmerged",
      "-k --killed|-z|-t|-v|--directory|--no-empty-directory|--exclude-standard|-x --exclude =text",
      "-X --exclude-from =path|--error-unmatch|--full-name|--abbrev =?number|--eol|--deduplicate",
    ],
    operands: PATHS,
  },
  "ls-tree": {
    flags: [
      "-r|-t|-d|-l --long|--name-only --name-status|--full-name|--full-tree|-z|--abbrev =?number|--object-only",
    ],
    operands: { first: "revision", rest: "pathspec" },
  },
  "rev-parse": {
    flags: [
      "--abbrev-ref =?word|--verify|-q --quiet|--short =?number|--show-toplevel|--show-prefix",
      "--show-cdup|--is-inside-work-tree|--is-bare-repository|--is-shallow-repository|--symbolic",
      "--symbolic-full-name|--all|--branches =?text|--tags =?text|--remotes =?text|--not|--revs-only",
      "--no-revs|--git-dir|--git-common-dir|--show-object-format",
    ],
    operands: REVISIONS,
  },
  "rev-list": {
    flags: [...LOG, "--count", "--objects", "--timestamp", "--abbrev =?number", "--no-object-names"],
    operands: REVISIONS,
    digits: true,
  },
  "cat-file": {
    flags: ["-t|-s|-p|-e"],
    refused: [
      [RUNS, "--textconv --filters"],
      ["reads standard input", "--batch"],
    ],
    operands: { rest: "revision" },
    guard: { commitsUnless: ["-t", "-s", "-e"] },
  },
  describe: {
    flags: [
      "--all|--tags|--contains|--abbrev =!number|--exact-match|--always|--long|--first-parent",
      "--match =text|--exclude =text|--dirty =?word|--candidates =!number",
    ],
    operands: { rest: "revision" },
  },
  shortlog: {
    flags: [...LOG, "-s --summary", "-n --numbered", "-e --email", "-c --committer", "--group =!word"],
    operands: REVISIONS,
  },
  "merge-base": {
    flags: ["-a --all|--is-ancestor|--octopus|--independent|--fork-point"],
    operands: { rest: "revision" },
  },
  "name-rev": {
    flags: ["--tags|--refs =text|--name-only|--always|--no-undefined"],
    operands: { rest: "revision" },
  },
  cherry: { flags: ["-v", "--abbrev =?number"], operands: { rest: "revision" } },
  // An operand without --list would make a branch or a tag.
  branch: {
    flags: [
      ...LIST,
      "-a --all",
      "-r --remotes",
      "-l --list",
      "-v --verbose",
      "--show-current",
      "--abbrev =?number",
      "--no-abbrev",
    ],
    operands: { rest: "text", onlyWith: ["--list"] },
  },
  tag: { flags: [...LIST, "-l --list", "-n =?number"], operands: { rest: "text", onlyWith: ["--list"] } },
  "for-each-ref": { flags: [...LIST, "--count =number"], operands: { rest: "text" } },
  "show-ref": {
    flags: [
      "--head|--heads --branches|--tags|-d --dereference|-s|--hash =?number|--verify|-q --quiet|--abbrev =?number",
    ],
    operands: { rest: "text" },
  },
  reflog: { ...log, subcommands: { show: log } },
  "count-objects": { flags: ["-v --verbose", "-H --human-readable"] },
  "check-ignore": {
    flags: ["-v --verbose|-q --quiet|-n --non-matching"],
    operands: { rest: "path" },
  },
  "check-attr": {
    flags: ["-a --all"],
    operands: { first: "word", firstUnless: ["-a"], rest: "path" },
  },
  version: { flags: ["--build-options"] },
};

const CHANGING =
  "add am apply bisect checkout cherry-pick clean commit gc init merge mv notes pull rebase reset restore revert rm stash switch symbolic-ref update-index update-ref worktree";
const REACHING = "clone fetch ls-remote push remote submodule send-email request-pull archive daemon";

export const GIT: Grammar = {
  flags: ["-P --no-pager", "--no-optional-locks", "--no-replace-objects", "--version", "-v"],
  refused: [
    [CHANGES, CHANGING],
    [REMOTE, REACHING],
    ["sets configuration, which can run programs", "-c"],
    ["sets configuration", "--config-env"],
    ["changes the directory", "-C"],
    [OUTSIDE, "--git-dir --work-tree"],
    ["takes the meaning from pathspecs that keep secrets out", "--literal-pathspecs --noglob-pathspecs"],
    [RUNS, "--exec-path -p --paginate help"],
    ["may show secrets or change the configuration", "config"],
  ],
  subcommands: READS,
};
