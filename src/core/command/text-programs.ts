/** The grammars of programs that look at text and files (GNU coreutils, grep, diffutils, findutils, tar, sed, ripgrep). */
import type { Grammar } from "./grammar.ts";

const ABOUT = ["--help", "--version"];
const RUNS = "runs a program";
const WRITES = "writes a file";
const NAMES = "takes file names from a file";
const FOLLOWS = "follows every symlink";
const WAITS = "waits for more, for ever";

/** `.env*` in any case. */
const SECRETS = ".[eE][nN][vV]*";

const files = (flags: readonly string[], more: Partial<Grammar> = {}): Grammar => ({
  flags: [...flags, ...ABOUT],
  operands: { rest: "path" },
  ...more,
});

const only = (...names: string[]): Grammar => ({ flags: names, requires: names });

const LS = files(
  [
    "-a --all|-A --almost-all|--author|-b --escape|-B --ignore-backups|-c|-C|-d --directory|-D --dired",
    "-f|-F --classify =?word|--file-type|--full-time|-g|--group-directories-first|-G --no-group",
    "-h --human-readable|--si|-i --inode|-k --kibibytes|-l|-m|-n --numeric-uid-gid|-N --literal|-o|-p",
    "-q --hide-control-chars|--show-control-chars|-Q --quote-name|-r --reverse|-R --recursive|-s --size",
    "-S|-t|-u|-U|-v|-x|-X|-Z --context|--zero|-1|--color =?word|--block-size =number|--format =word",
    "--hide =text|-I --ignore =text|--indicator-style =word|--quoting-style =word|--sort =word",
    "--time =word|--time-style =text|-T --tabsize =number|-w --width =number|--hyperlink =?word",
  ],
  {
    refused: [
      [FOLLOWS, "-L --dereference"],
      ["follows symlinks", "-H"],
    ],
  },
);

const HEAD = [
  "-n --lines =number",
  "-c --bytes =number",
  "-q --quiet --silent",
  "-v --verbose",
  "-z --zero-terminated",
];

const GREP: Grammar = {
  flags: [
    "-E --extended-regexp|-F --fixed-strings|-G --basic-regexp|-P --perl-regexp|-e --regexp =pattern",
    "-f --file =path|-i -y --ignore-case|--no-ignore-case|-w --word-regexp|-x --line-regexp",
    "-z --null-data|-s --no-messages|-v --invert-match|-V|-m --max-count =number|-b --byte-offset",
    "-n --line-number|--line-buffered|-H --with-filename|-h --no-filename|--label =text",
    "-o --only-matching|-q --quiet --silent|--binary-files =word|-a --text|-I|-r --recursive",
    "-d --directories =grep_action|-D --devices =grep_action|--include =text|--exclude =text",
    "--exclude-from =path|--exclude-dir =text|-L --files-without-match|-l --files-with-matches",
    "-c --count|-T --initial-tab|-Z --null|-A --after-context =number|-B --before-context =number",
    "-C --context =number|--group-separator =text|--no-group-separator|-U --binary",
    "--color --colour =?word",
    ...ABOUT,
  ],
  refused: [[FOLLOWS, "-R --dereference-recursive"]],
  operands: { first: "text", firstUnless: ["-e", "-f"], rest: "path" },
  digits: true,
  complete: {
    when: ["-r"],
    add: ["--exclude-dir=.git", `--exclude-dir=${SECRETS}`, `--exclude=${SECRETS}`],
  },
};

const RG: Grammar = {
  flags: [
    "-e --regexp =pattern|-f --file =path|-i --ignore-case|-S --smart-case|-s --case-sensitive",
    "-w --word-regexp|-x --line-regexp|-v --invert-match|-F --fixed-strings|-P --pcre2|-U --multiline",
    "--multiline-dotall|-a --text|-A --after-context =number|-B --before-context =number",
    "-C --context =number|-m --max-count =number|-l --files-with-matches|--files-without-match",
    "-c --count|--count-matches|-o --only-matching|-n --line-number|-N --no-line-number|--column",
    "-H --with-filename|-I --no-filename|-q --quiet|-b --byte-offset|-0 --null|-r --replace =text",
    "-p --pretty|-M --max-columns =number|--max-columns-preview|-d --max-depth =number",
    "-j --threads =number|-t --type =word|-T --type-not =word|--type-add =text|--type-list|--files",
    "-g --glob =text|--iglob =text|--glob-case-insensitive|-. --hidden|--no-ignore",
    "--no-ignore-vcs|--no-ignore-parent|--no-ignore-dot|--no-ignore-exclude|--no-ignore-global",
    "--ignore-file =path|-u --unrestricted|--json|--vimgrep|--stats|--trim|--heading|--no-heading",
    "--color =word|--colors =text|--sort =word|--sortr =word|--line-buffered|--context-separator =text",
    "--no-context-separator|--max-filesize =number|--crlf|--engine =word|--one-file-system",
    "--no-messages|--no-config|--passthru|-E --encoding =word|--null-data|-V|-h",
    ...ABOUT,
  ],
  refused: [
    [RUNS, "--pre --hostname-bin"],
    ["runs decompressors", "-z --search-zip"],
    [FOLLOWS, "-L --follow"],
  ],
  operands: { first: "text", firstUnless: ["-e", "-f", "--files", "--type-list"], rest: "path" },
  // A hidden file is read when any ignore file of the tree names it after a `!`.
  // An --iglob counts more than any --glob.
  complete: { add: ["--iglob=!.git", "--iglob=!.env*"] },
};

const FIND: Grammar = {
  flags: [
    "-name =pattern|-iname =pattern|-path -wholename =pattern|-ipath -iwholename =pattern|-regex =pattern",
    "-iregex =pattern|-regextype =word|-lname =pattern|-ilname =pattern|-type =word|-maxdepth =number",
    "-mindepth =number|-size =number|-mtime =number|-mmin =number|-ctime =number|-cmin =number",
    "-atime =number|-amin =number|-used =number|-links =number|-inum =number|-uid =number|-gid =number",
    "-newer =path|-anewer =path|-cnewer =path|-newermt =text|-samefile =path|-empty|-perm =pattern",
    "-user =word|-group =word|-nouser|-nogroup|-readable|-writable|-executable|-true|-false|-not",
    "-a -and|-o -or|-print|-print0|-printf =text|-ls|-prune|-quit|-depth|-d|-mount|-xdev|-daystart",
    "-noleaf|-warn|-nowarn|-P|-ignore_readdir_race|-noignore_readdir_race|-help|-version",
    ...ABOUT,
  ],
  refused: [
    [RUNS, "-exec -execdir -ok -okdir"],
    ["deletes files", "-delete"],
    [WRITES, "-fprint -fprint0 -fprintf -fls"],
    [NAMES, "-files0-from"],
    [FOLLOWS, "-L -follow"],
    ["follows symlinks", "-H"],
    ["looks behind symlinks", "-xtype"],
  ],
  operands: { rest: "path" },
  style: "whole",
};

const DIFF: Grammar = {
  flags: [
    "--normal|-q --brief|-s --report-identical-files|-c|-C =number|--context =?number|-u|-U =number",
    "--unified =?number|-e --ed|-n --rcs|-y --side-by-side|-W --width =number|--left-column",
    "--suppress-common-lines|-p --show-c-function|-F --show-function-line =text|--label =text",
    "-t --expand-tabs|-T --initial-tab|--tabsize =number|--suppress-blank-empty|-r --recursive",
    "--no-dereference|-N --new-file|--unidirectional-new-file|-x --exclude =text|-i --ignore-case",
    "-E --ignore-tab-expansion|-Z --ignore-trailing-space|-b --ignore-space-change",
    "-w --ignore-all-space|-B --ignore-blank-lines|-I --ignore-matching-lines =text|-a --text",
    "--strip-trailing-cr|-d --minimal|--speed-large-files|--color =?word|-v",
    ...ABOUT,
  ],
  refused: [
    [RUNS, "-l --paginate"],
    [NAMES, "--from-file --to-file"],
  ],
  operands: { rest: "path", min: 2, max: 2, minUnless: [...ABOUT, "-v"] },
  paired: true,
  // In a directory it would read what each symlink points to.
  complete: { forDirectories: true, add: ["--no-dereference", "--exclude=.git", `--exclude=${SECRETS}`] },
};

const TAR: Grammar = {
  flags: [
    "-t --list|-f --file =archive|-v --verbose|-z --gzip --gunzip --ungzip|-j --bzip2|-J --xz|--zstd",
    "-a --auto-compress|--exclude =text|--wildcards|--no-wildcards|--anchored|--no-anchored",
    "--ignore-case|--full-time|--utc|--numeric-owner|-i --ignore-zeros|--strip-components =number",
    "--force-local|--show-transformed-names|--restrict|-n --seek",
  ],
  refused: [
    ["writes files", "-x --extract"],
    [WRITES, "-c --create --index-file"],
    ["extracts", "-O"],
    [RUNS, "--checkpoint-action --to-command -I --use-compress-program -F --rsh-command --rmt-command"],
    [NAMES, "-T --files-from"],
    [FOLLOWS, "-h --dereference"],
  ],
  operands: { rest: "text" },
  bundle: true,
  requires: ["-t"],
};

const SED: Grammar = {
  flags: [
    "-n --quiet --silent|-E -r --regexp-extended|-e --expression =sed|-f --file =path|-s --separate",
    "-z --null-data|-u --unbuffered|-l --line-length =number|--debug|--sandbox",
    ...ABOUT,
  ],
  refused: [
    ["writes files", "-i --in-place"],
    [FOLLOWS, "--follow-symlinks"],
  ],
  operands: { first: "sed", firstUnless: ["-e", "-f"], rest: "path" },
  complete: { first: true, add: ["--sandbox"] },
};

const SORT = files(
  [
    "-b --ignore-leading-blanks|-d --dictionary-order|-f --ignore-case|-g --general-numeric-sort",
    "-i --ignore-nonprinting|-M --month-sort|-h --human-numeric-sort|-n --numeric-sort|-R --random-sort",
    "-r --reverse|--sort =word|-V --version-sort|-c|--check =?word|-C|--debug|-k --key =word|-m --merge",
    "-s --stable|-t --field-separator =text|--parallel =number|-u --unique|-z --zero-terminated",
  ],
  {
    refused: [
      [WRITES, "-o --output"],
      ["writes files elsewhere", "-T --temporary-directory"],
      [RUNS, "--compress-program"],
      [NAMES, "--files0-from"],
    ],
  },
);

export const TEXT_PROGRAMS: Readonly<Record<string, Grammar>> = {
  ls: LS,
  cat: files([
    "-A --show-all|-b --number-nonblank|-e|-E --show-ends|-n --number|-s --squeeze-blank|-t",
    "-T --show-tabs|-u|-v --show-nonprinting",
  ]),
  head: files(HEAD, { digits: true }),
  tail: files(HEAD, {
    digits: true,
    refused: [[WAITS, "-f -F --follow --retry"]],
  }),
  wc: files(["-c --bytes|-m --chars|-l --lines|-w --words|-L --max-line-length|--total =word"], {
    refused: [[NAMES, "--files0-from"]],
  }),
  grep: GREP,
  rg: RG,
  find: FIND,
  sed: SED,
  sort: SORT,
  // A second operand would be written to.
  uniq: files(
    [
      "-c --count|-d --repeated|-D|--all-repeated =?word|-f --skip-fields =number|--group =?word",
      "-i --ignore-case|-s --skip-chars =number|-u --unique|-z --zero-terminated|-w --check-chars =number",
    ],
    { operands: { rest: "path", max: 1 } },
  ),
  cut: files([
    "-b --bytes =pattern|-c --characters =pattern|-d --delimiter =pattern|-f --fields =pattern|-n",
    "--complement|-s --only-delimited|--output-delimiter =text|-z --zero-terminated",
  ]),
  diff: DIFF,
  tar: TAR,
  echo: { style: "text" },
  true: { style: "text" },
  // Each would run whatever it is given.
  env: only("--help", "--version"),
  xargs: only("--help", "--version"),
};
