/**
 * The grammars of programs that build, test and run. A file that the line itself names may run (`node FILE`, `python3 FILE`);
 * code that a program finds by itself (scripts, tests, build files, configuration) needs an entry that spells it out.
 * What the project's own program is then given is only kept inside the root.
 */
import type { Grammar } from "./grammar.ts";

const RUNS = "runs code that is given to it";
const WRITES = "writes a file";
const LOADS = "loads code";
const SERVES = "opens a port";
const FETCHES = "fetches code from elsewhere, or changes what is installed";
const ELSEWHERE = "works elsewhere";
const CONFIGURES = "sets configuration, which can run programs";

/** A script of package.json, with whatever arguments it takes. */
const script = (flags: readonly string[]): Grammar => ({
  flags,
  operands: { rest: "free" },
  code: true,
});

const NPM_RUN = [
  "-s --silent|-q --quiet|--if-present|--ignore-scripts|-w --workspace =npm_name|--workspaces",
  "--include-workspace-root|--no-color|--color",
];
const NPM_LIST = [
  "-a --all|--depth =number|--json|-l --long|-p --parseable|--omit =word|--include =word|-w --workspace =npm_name|--workspaces",
];
const NPM_REFUSED: NonNullable<Grammar["refused"]> = [
  [
    FETCHES,
    "install i ci add update up upgrade uninstall remove rm link audit dedupe rebuild prune publish create init pack",
  ],
  [RUNS, "exec x dlx explore edit --script-shell --node-options"],
  ["may show secrets or change the configuration", "config set get token login adduser"],
  [ELSEWHERE, "--prefix -C --dir --cwd -g --global --userconfig --globalconfig"],
];

const NPM: Grammar = {
  flags: ["--version -v", "-s --silent", "--no-color"],
  refused: NPM_REFUSED,
  subcommands: {
    test: script(NPM_RUN),
    start: script(NPM_RUN),
    run: { ...script(NPM_RUN), operands: { first: "word", rest: "free" } },
    ls: { flags: NPM_LIST, operands: { rest: "npm_name" } },
    list: { flags: NPM_LIST, operands: { rest: "npm_name" } },
    explain: { flags: ["--json"], operands: { rest: "npm_name" } },
    root: { flags: [] },
    prefix: { flags: [] },
    version: { flags: ["--json"] },
  },
};

/** They read code of the project (`.pnpmfile.cjs`, `yarnPath`) before anything else; alone, yarn installs. */
const byCode = (list: readonly string[]): Grammar => ({
  flags: ["--version -v", "-s --silent"],
  requires: ["--version"],
  refused: NPM_REFUSED,
  subcommands: {
    test: script(NPM_RUN),
    start: script(NPM_RUN),
    run: { ...script(NPM_RUN), operands: { first: "word", rest: "free" } },
    list: { flags: list, operands: { rest: "npm_name" }, code: true },
    why: { flags: ["--json"], operands: { rest: "npm_name" }, code: true },
  },
});

const NODE: Grammar = {
  flags: [
    "--version -v|--help -h|-c --check|--no-warnings|--no-deprecation|--trace-warnings|--trace-deprecation",
    "--trace-uncaught|--throw-deprecation|--enable-source-maps|--unhandled-rejections =!word",
    "--stack-trace-limit =!number|--max-old-space-size =!number|--preserve-symlinks",
    "--experimental-strip-types|--experimental-transform-types|--no-experimental-strip-types",
    "--disable-warning =!word|--expose-gc|--pending-deprecation|! --test|--test-only|--test-force-exit",
    "--test-reporter =!node_reporter|--test-name-pattern =!text|--test-skip-pattern =!text",
    "--test-concurrency =!number|--test-timeout =!number|--experimental-test-coverage",
    "--test-shard =!text|--test-update-snapshots|--experimental-test-module-mocks",
  ],
  refused: [
    [RUNS, "-e --eval -p --print -pe -i --interactive --run"],
    [LOADS, "-r --require --import --loader --experimental-loader -C --conditions --openssl-config"],
    [SERVES, "--inspect --inspect-brk --inspect-port --inspect-wait --debug"],
    ["reads secrets", "--env-file --env-file-if-exists"],
    [
      WRITES,
      "--redirect-warnings --cpu-prof --heap-prof --prof --report-directory --test-reporter-destination --build-snapshot --diagnostic-dir --trace-event-file-pattern",
    ],
    ["never ends", "--watch"],
  ],
  operands: {
    first: "file",
    rest: "free",
    min: 1,
    minUnless: ["--version", "--help", "--test"],
    never: ["inspect", "debug"],
  },
  style: "first",
};

const PYTHON: Grammar = {
  flags: [
    "-V --version|-h --help|-B|-s|-S|-E|-I|-u|-O|-OO|-q|-b|-v|-W =python_warning",
    "-X =python_option|! -m =>word",
  ],
  refused: [
    [RUNS, "-c"],
    ["waits for input", "-i"],
  ],
  operands: { first: "file", rest: "free", min: 1, minUnless: ["-V", "-h", "-m"] },
  style: "first",
};

const PYTEST: Grammar = {
  flags: [
    "-q --quiet|-v --verbose|-x --exitfirst|-s|-l --showlocals|-k =text|-m =text|-r =word",
    "--tb =word|--maxfail =number|--lf --last-failed|--ff --failed-first|--nf --new-first",
    "--sw --stepwise|--co --collect-only|--durations =number|--durations-min =number|-n --numprocesses =word",
    "--disable-warnings|--no-header|--no-summary|--color =word|--capture =word|--strict-markers",
    "--strict-config|--strict|--runxfail|--cache-clear|--cache-show =?word|--fixtures|--markers",
    "--ignore =path|--deselect =test_id|--import-mode =word|--setup-show|--setup-only|--setup-plan",
    "--doctest-modules|-V --version|-h --help|--no-cov|--timeout =number|-W =python_warning|--full-trace",
  ],
  refused: [
    [LOADS, "-p --pyargs"],
    [CONFIGURES, "-c --config-file -o --override-ini --rootdir --confcutdir"],
    [WRITES, "--basetemp --junitxml --junit-xml --log-file --debug --report-log --html"],
    ["waits for input", "--pdb --trace --pdbcls"],
    ["sends files elsewhere", "--pastebin"],
  ],
  operands: { rest: "test_id" },
  // Even --version loads the project's conftest.py.
  codeUnless: [],
};

const MAKE: Grammar = {
  flags: [
    "-j --jobs =?number|-s --silent --quiet|-k --keep-going|-n --just-print --dry-run|-B --always-make",
    "--no-print-directory|-i --ignore-errors|-q --question|--trace|--version -v|--help -h",
    "-O --output-sync =?word|-r --no-builtin-rules|-R --no-builtin-variables",
  ],
  refused: [
    [RUNS, "-f --file --makefile --eval -E -e --environment-overrides -I --include-dir"],
    [ELSEWHERE, "-C --directory"],
    ["takes a file for newer than it is", "-W -o"],
  ],
  operands: { rest: "target", minUnless: ["--version", "--help"] },
  codeOperands: true,
};

const CARGO_FLAGS = [
  "-r --release|-p --package =word|--workspace|--all|--lib|--bins|--bin =word|--tests|--test =word",
  "--examples|--example =word|--benches|--bench =word|--all-targets|--doc|-F --features =word",
  "--all-features|--no-default-features|-j --jobs =number|--keep-going|--frozen|--locked|--offline",
  "-v --verbose|-vv|-q --quiet|--color =word|--message-format =word|--profile =word|--no-run",
  "--no-fail-fast|--exclude =word|--manifest-path =path|--ignore-rust-version|--check|--no-deps",
];
const cargo = (operands: Grammar["operands"]): Grammar => ({
  flags: CARGO_FLAGS,
  ...(operands && { operands }),
  code: true,
});
const CARGO_ARGS = { rest: "word", afterDashes: "free" } as const;

const CARGO: Grammar = {
  flags: ["-V --version", "--list", "-h --help"],
  refused: [
    [FETCHES, "install add remove update fetch publish login search vendor init new uninstall yank owner"],
    [CONFIGURES, "--config -Z -C --target-dir"],
    ["changes files", "--fix fix"],
  ],
  subcommands: {
    test: cargo(CARGO_ARGS),
    bench: cargo(CARGO_ARGS),
    run: cargo({ rest: "free" }),
    clippy: cargo(CARGO_ARGS),
    build: cargo({}),
    check: cargo({}),
    doc: cargo({}),
    tree: cargo({}),
    metadata: cargo({}),
    fmt: cargo({}),
  },
};

/** Go takes each flag with one dash or two. */
const go = (flags: string): readonly string[] =>
  flags.split("|").map((flag) => {
    const [name = "", ...rest] = flag.split(" ");
    return [`-${name}`, `--${name}`, ...rest].join(" ");
  });
const GO_BUILD = go(
  "a|n|p =number|race|msan|asan|cover|v|x|work|tags =word|trimpath|mod =word|buildvcs =?word|json",
);
const GO_TEST = go(
  "run =pattern|skip =pattern|count =number|short|timeout =word|failfast|list =pattern|parallel =number|cpu =word|bench =pattern|benchmem|benchtime =word|covermode =word|coverpkg =package|shuffle =word|fullpath|vet =word",
);

const GO: Grammar = {
  refused: [
    [FETCHES, "get install mod work generate tool"],
    [RUNS, "-exec -toolexec -vettool -ldflags -gcflags -asmflags -overlay -modfile"],
    [WRITES, "-o -c -coverprofile -cpuprofile -memprofile -trace -outputdir -w -u"],
    [ELSEWHERE, "-C"],
  ],
  style: "whole",
  subcommands: {
    version: { style: "whole" },
    env: { style: "whole", flags: go("json|changed"), operands: { rest: "word" } },
    list: {
      style: "whole",
      flags: go("json =?word|m|deps|test|e|f =pattern|tags =word"),
      operands: { rest: "package" },
    },
    test: { style: "whole", flags: [...GO_BUILD, ...GO_TEST], operands: { rest: "package" }, code: true },
    build: { style: "whole", flags: GO_BUILD, operands: { rest: "package" }, code: true },
    vet: { style: "whole", flags: GO_BUILD, operands: { rest: "package" }, code: true },
    fmt: { style: "whole", flags: go("n|x|mod =word"), operands: { rest: "package" }, code: true },
    run: {
      style: "first",
      flags: ["-race --race", "-v --v", "-x --x"],
      code: true,
      operands: { first: "package", rest: "free", min: 1 },
    },
  },
};

const TSC: Grammar = {
  flags: [
    "--noEmit|-p --project =path|-b --build|--pretty =?word|--listFiles|--listFilesOnly|--showConfig",
    "--traceResolution|--explainFiles|--diagnostics|--extendedDiagnostics|--noErrorTruncation",
    "--strict|--skipLibCheck|--skipDefaultLibCheck|-t --target =word|-m --module =word|--lib =word",
    "--moduleResolution =word|--jsx =word|--types =word|--allowJs|--checkJs|--esModuleInterop",
    "--resolveJsonModule|--isolatedModules|--noUnusedLocals|--noUnusedParameters|--noImplicitAny",
    "--incremental|--allowImportingTsExtensions|--verbose|--dry|--force|-v --version|-h --help|--all",
  ],
  refused: [
    [
      WRITES,
      "--outDir --outFile --declarationDir --tsBuildInfoFile --generateTrace --generateCpuProfile --init",
    ],
    ["never ends", "-w --watch"],
  ],
  operands: { rest: "source" },
  style: "whole",
};

const ESLINT: Grammar = {
  flags: [
    "--ext =text|-c --config =path|--quiet|--max-warnings =number|-f --format =eslint_format|--color",
    "--no-color|--debug|--no-inline-config|--report-unused-disable-directives|--rule =text|--env =word",
    "--no-eslintrc|--no-config-lookup|--ignore-pattern =text|--no-ignore|--no-error-on-unmatched-pattern",
    "--pass-on-no-patterns|--no-warn-ignored|--stats|--print-config =path|-v --version|-h --help",
    "! --fix|--fix-dry-run|--fix-type =word|--global =text",
  ],
  refused: [
    [LOADS, "--plugin --parser --rulesdir --resolve-plugins-relative-to --flag --parser-options"],
    [WRITES, "-o --output-file --cache --cache-location --cache-file --cache-strategy --init"],
    ["opens a port", "--inspect-config --mcp"],
  ],
  operands: { rest: "glob" },
  // Its configuration is a program of the project.
  codeUnless: ["--version", "--help"],
};

export const CODE_PROGRAMS: Readonly<Record<string, Grammar>> = {
  npm: NPM,
  pnpm: byCode(NPM_LIST),
  yarn: byCode(["--json"]),
  node: NODE,
  python3: PYTHON,
  pytest: PYTEST,
  make: MAKE,
  cargo: CARGO,
  go: GO,
  tsc: TSC,
  eslint: ESLINT,
};
