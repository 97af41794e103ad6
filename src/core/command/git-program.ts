/** Git's grammar: what looks at history, index and tree. Nothing that moves refs, index, tree or config, and no remotes. */
import type { Grammar, Operands } from "./grammar.ts";

const REVISIONS: Operands = { rest: "revision_or_path", afterDashes: "pathspec" };
const PATHS: Operands = { rest: "pathspec" };

const RUNS = "runs a program";
const OUTSIDE = "works outside the repository";
const CHANGES = "changes the repository; that has a tool of its own";
const REMOTE = "is about other repositories, which agents do not reach";

const DIFF = [
  ..."-p -u --patch|-s --no-patch|-U --unified =!number|--stat =?word|--numstat|--shortstat|--summary".split(
    "|",
  ),
  ..."--dirstat =?word|--compact-summary|--name-only|--name-status|--raw|--patch-with-stat".split("|"),
  ..."--color =?word|--no-color|--color-moved =?word|--color-words =?pattern|--word-diff =?word".split("|"),
  ..."--word-diff-regex =!pattern|--minimal|--patience|--histogram|--diff-algorithm =!word".split("|"),
  ..."-w --ignore-all-space|-b --ignore-space-change|--ignore-space-at-eol|--ignore-blank-lines".split("|"),
  ..."--ignore-cr-at-eol|-M --find-renames =?number|-C --find-copies =?number|--find-copies-harder".split(
    "|",
  ),
  ..."--no-renames|-R|-a --text|-W --function-context|--inter-hunk-context =!number|--full-index".split("|"),
  ..."--binary|--abbrev =?number|--diff-filter =!word|-S =pattern|-G =pattern|--pickaxe-all".split("|"),
  ..."--pickaxe-regex|-z|--exit-code|--quiet|--check|--no-prefix|--src-prefix =!text".split("|"),
  ..."--dst-prefix =!text|--relative =?path|--no-ext-diff|--no-textconv|--ignore-submodules =?word".split(
    "|",
  ),
  ..."--stat-width =!number|--indent-heuristic|--no-indent-heuristic|-t|-r|--cc|-m".split("|"),
];

const LOG = [
  ..."-n --max-count =number|--skip =number|--since --after =text|--until --before =text|--author =pattern".split(
    "|",
  ),
  ..."--committer =pattern|--grep =pattern|--all-match|--invert-grep|-i --regexp-ignore-case".split("|"),
  ..."-E --extended-regexp|-F --fixed-strings|-P --perl-regexp|--pretty =?git_format".split("|"),
  ..."--format =!git_format|--oneline|--graph|--all|--branches =?text|--tags =?text|--remotes =?text".split(
    "|",
  ),
  ..."--glob =!text|--exclude =!text|--decorate =?word|--no-decorate|--decorate-refs =!text".split("|"),
  ..."--date =text|--relative-date|--date-order|--topo-order|--author-date-order|--reverse".split("|"),
  ..."--first-parent|--merges|--no-merges|--min-parents =!number|--max-parents =!number|--follow".split("|"),
  ..."--full-history|--simplify-merges|--simplify-by-decoration|--ancestry-path|--cherry".split("|"),
  ..."--cherry-pick|--cherry-mark|--left-right|--left-only|--right-only|--boundary|--not".split("|"),
  ..."--abbrev-commit|--no-abbrev-commit|--parents|--children|--source|--no-notes".split("|"),
  ..."-g --walk-reflogs|--grep-reflog =pattern|-L =line_range|--no-walk =?word|--full-diff|--show-pulls".split(
    "|",
  ),
  ..."--dense|--sparse|--remove-empty|--mailmap --use-mailmap|--no-mailmap|--encoding =!word".split("|"),
];

const LIST = [
  ..."--sort =text|--format =git_format|--contains =~revision|--no-contains =~revision".split("|"),
  ..."--merged =~revision|--no-merged =~revision|--points-at =revision|--color =?word|--column =?word".split(
    "|",
  ),
  ..."--no-column|-i --ignore-case".split("|"),
];

const DRIVERS = { "--ext-diff": RUNS, "--textconv": RUNS, "--show-signature": RUNS };
const REFUSED = {
  ...DRIVERS,
  "--output": "writes a file",
  "--no-index": OUTSIDE,
  "-O": "takes an order from a file",
};

const log: Grammar = { flags: [...LOG, ...DIFF], operands: REVISIONS, digits: true, refused: REFUSED };

const GREP: Grammar = {
  flags: [
    ..."-n --line-number|-i --ignore-case|-l --files-with-matches --name-only|-L --files-without-match".split(
      "|",
    ),
    ..."-c --count|-w --word-regexp|-v --invert-match|-E --extended-regexp|-G --basic-regexp".split("|"),
    ..."-F --fixed-strings|-P --perl-regexp|-e =pattern|-f =path|-h|-H|-o --only-matching|-q --quiet".split(
      "|",
    ),
    ..."-p --show-function|-W --function-context|-A --after-context =number|-B --before-context =number".split(
      "|",
    ),
    ..."-C --context =number|--and|--or|--not|--all-match|--cached|--untracked|--max-depth =number".split(
      "|",
    ),
    ..."-r --recursive|--no-recursive|--break|--heading|--color =?word|--no-color|--column|-a --text|-I".split(
      "|",
    ),
    ..."-z --null|--full-name|--threads =number|-m --max-count =number|--no-textconv".split("|"),
  ],
  refused: {
    ...DRIVERS,
    "-O": RUNS,
    "--open-files-in-pager": RUNS,
    "--no-index": OUTSIDE,
    "--no-exclude-standard": "reads ignored files",
  },
  operands: { first: "text", firstUnless: ["-e", "-f"], ...REVISIONS },
  digits: true,
};

const READS: Readonly<Record<string, Grammar>> = {
  log,
  show: log,
  whatchanged: log,
  diff: {
    flags: [...DIFF, "--cached --staged", "--merge-base"],
    operands: REVISIONS,
    refused: REFUSED,
  },
  "diff-tree": {
    flags: [...DIFF, "--root", "--no-commit-id", "--pretty =?git_format", "--format =!git_format"],
    operands: REVISIONS,
    refused: REFUSED,
  },
  status: {
    flags: [
      ..."-s --short|-b --branch|--show-stash|--porcelain =?word|--long|-v --verbose|-z".split("|"),
      ..."-u --untracked-files =?word|--ignore-submodules =?word|--ignored =?word|--column =?word".split("|"),
      ..."--no-column|--ahead-behind|--no-ahead-behind|--renames|--no-renames|--find-renames =?number".split(
        "|",
      ),
    ],
    operands: PATHS,
  },
  blame: {
    flags: [
      ..."-L =line_range|-l|-t|-s|-e --show-email|-w|-M =?number|-C =?number|--date =!text|-p --porcelain".split(
        "|",
      ),
      ..."--line-porcelain|--incremental|--reverse|--first-parent|--root|-f --show-name|-n --show-number".split(
        "|",
      ),
      ..."--color-lines|--color-by-age|--abbrev =?number|--ignore-rev =revision|--ignore-revs-file =path".split(
        "|",
      ),
    ],
    refused: { "--contents": "reads a file that may be elsewhere" },
    operands: REVISIONS,
  },
  grep: GREP,
  "ls-files": {
    flags: [
      ..."-c --cached|-d --deleted|-m --modified|-o --others|-i --ignored|-s --stage|-u --unmerged".split(
        "|",
      ),
      ..."-k --killed|-z|-t|-v|--directory|--no-empty-directory|--exclude-standard|-x --exclude =pattern".split(
        "|",
      ),
      ..."-X --exclude-from =path|--error-unmatch|--full-name|--abbrev =?number|--eol|--deduplicate".split(
        "|",
      ),
    ],
    operands: PATHS,
  },
  "ls-tree": {
    flags:
      "-r|-t|-d|-l --long|--name-only --name-status|--full-name|--full-tree|-z|--abbrev =?number|--object-only".split(
        "|",
      ),
    operands: { first: "revision", rest: "pathspec" },
  },
  "rev-parse": {
    flags: [
      ..."--abbrev-ref =?word|--verify|-q --quiet|--short =?number|--show-toplevel|--show-prefix".split("|"),
      ..."--show-cdup|--is-inside-work-tree|--is-bare-repository|--is-shallow-repository|--symbolic".split(
        "|",
      ),
      ..."--symbolic-full-name|--all|--branches =?text|--tags =?text|--remotes =?text|--not|--revs-only".split(
        "|",
      ),
      ..."--no-revs|--git-dir|--git-common-dir|--show-object-format".split("|"),
    ],
    operands: REVISIONS,
  },
  "rev-list": {
    flags: [...LOG, "--count", "--objects", "--timestamp", "--abbrev =?number", "--no-object-names"],
    operands: REVISIONS,
    digits: true,
  },
  "cat-file": {
    flags: "-t|-s|-p|-e".split("|"),
    refused: { "--textconv": RUNS, "--filters": RUNS, "--batch": "reads standard input" },
    operands: { rest: "revision" },
  },
  describe: {
    flags: [
      ..."--all|--tags|--contains|--abbrev =!number|--exact-match|--always|--long|--first-parent".split("|"),
      ..."--match =text|--exclude =text|--dirty =?word|--candidates =!number".split("|"),
    ],
    operands: { rest: "revision" },
  },
  shortlog: {
    flags: [
      ...LOG.filter((flag) => !/^-[nE] /.test(flag)),
      "-s --summary",
      "-n --numbered",
      "-e --email",
      "-c --committer",
      "--group =!word",
    ],
    operands: REVISIONS,
  },
  "merge-base": {
    flags: "-a --all|--is-ancestor|--octopus|--independent|--fork-point".split("|"),
    operands: { rest: "revision" },
  },
  "name-rev": {
    flags: "--tags|--refs =text|--name-only|--always|--no-undefined".split("|"),
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
    flags:
      "--head|--heads --branches|--tags|-d --dereference|-s|--hash =?number|--verify|-q --quiet|--abbrev =?number".split(
        "|",
      ),
    operands: { rest: "text" },
  },
  reflog: { flags: [], subcommands: { show: log } },
  "count-objects": { flags: ["-v --verbose", "-H --human-readable"] },
  "check-ignore": {
    flags: "-v --verbose|-q --quiet|-n --non-matching".split("|"),
    operands: { rest: "path" },
  },
  "check-attr": {
    flags: ["-a --all"],
    operands: { first: "word", firstUnless: ["-a"], rest: "path" },
  },
  version: { flags: ["--build-options"] },
};

const CHANGING =
  "add am apply bisect checkout cherry-pick clean commit gc init merge mv notes pull rebase reset restore revert rm stash switch symbolic-ref update-index update-ref worktree".split(
    " ",
  );
const REACHING = "clone fetch ls-remote push remote submodule send-email request-pull archive daemon".split(
  " ",
);

export const GIT: Grammar = {
  flags: [
    "-P --no-pager",
    "--no-optional-locks",
    "--no-replace-objects",
    "--literal-pathspecs",
    "--version",
    "-v",
  ],
  refused: {
    ...{ "-c": "sets configuration, which can run programs", "--config-env": "sets configuration" },
    ...{ "-C": "changes the directory", "--git-dir": OUTSIDE, "--work-tree": OUTSIDE, "--exec-path": RUNS },
    ...{ "-p": RUNS, "--paginate": RUNS, config: "may show secrets or change the configuration", help: RUNS },
    ...Object.fromEntries(CHANGING.map((name) => [name, CHANGES])),
    ...Object.fromEntries(REACHING.map((name) => [name, REMOTE])),
  },
  subcommands: READS,
};
