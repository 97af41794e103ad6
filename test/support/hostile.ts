/** A repository that names a program at every place where git would start one; each leaves a mark when it is run. */
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Of git 2.48, `git help hooks`. */
export const HOOKS = [
  "applypatch-msg",
  "pre-applypatch",
  "post-applypatch",
  "pre-commit",
  "pre-merge-commit",
  "prepare-commit-msg",
  "commit-msg",
  "post-commit",
  "pre-rebase",
  "post-checkout",
  "post-merge",
  "pre-push",
  "pre-receive",
  "update",
  "proc-receive",
  "post-receive",
  "post-update",
  "reference-transaction",
  "push-to-checkout",
  "pre-auto-gc",
  "post-rewrite",
  "sendemail-validate",
  "fsmonitor-watchman",
  "p4-changelist",
  "p4-prepare-changelist",
  "p4-post-changelist",
  "p4-pre-submit",
  "post-index-change",
] as const;

/** Settings whose value git runs as a program. */
const PROGRAMS = [
  "core.fsmonitor",
  "core.pager",
  "core.editor",
  "core.askPass",
  "core.sshCommand",
  "core.gitProxy",
  "core.alternateRefsCommand",
  "sequence.editor",
  "diff.external",
  "diff.evil.command",
  "diff.evil.textconv",
  "filter.evil.clean",
  "filter.evil.smudge",
  "filter.evil.process",
  "interactive.diffFilter",
  "gpg.program",
  "gpg.ssh.program",
  "gpg.ssh.defaultKeyCommand",
  "uploadpack.packObjectsHook",
  "remote.origin.uploadpack",
  "remote.origin.receivepack",
  "pager.log",
  "pager.diff",
  "pager.grep",
  "difftool.evil.cmd",
  "mergetool.evil.cmd",
] as const;
const VERBS = [
  "status",
  "cat-file",
  "log",
  "diff",
  "grep",
  "merge-tree",
  "update-ref",
  "read-tree",
  "co",
  "x",
];

export interface Hostile {
  /** The marks that were left: empty as long as nothing of it has run. */
  marks(): readonly string[];
  /** The caller's environment, hostile as well. */
  readonly env: Readonly<Record<string, string>>;
}

/** Makes the repository in `dir` hostile. `outside`: an empty directory beside it. */
export function makeHostile(dir: string, outside: string, git: (...args: string[]) => string): Hostile {
  const marks = join(outside, "marks");
  mkdirSync(marks, { recursive: true });
  let programs = 0;
  const program = (name: string): string => {
    const file = join(outside, `program-${programs++}.sh`);
    writeFileSync(file, `#!/bin/sh\n: > '${marks}/${name}'\ncat\nexit 0\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const folder = (path: string, name: string): string => {
    mkdirSync(path, { recursive: true });
    for (const hook of HOOKS) {
      const file = join(path, hook);
      writeFileSync(file, `#!/bin/sh\n: > '${marks}/${name}-${hook}'\nexit 1\n`);
      chmodSync(file, 0o755);
    }
    return path;
  };
  const settings: [string, string][] = [
    ...PROGRAMS.map((key): [string, string] => [key, program(key)]),
    ...VERBS.map((verb): [string, string] => [`alias.${verb}`, `!${program(`alias.${verb}`)}`]),
    ["merge.evil.driver", `${program("merge.driver")} %O %A %B`],
    ["merge.default", "evil"],
    ["filter.evil.required", "true"],
    ["credential.helper", `!${program("credential.helper")}`],
    ["trailer.sign.key", "Signed"],
    ["trailer.sign.command", program("trailer.command")],
    ["trailer.sign.cmd", program("trailer.cmd")],
    ["core.hooksPath", folder(join(outside, "hooks"), "hooksPath")],
    ["core.autocrlf", "true"],
    ["core.safecrlf", "true"],
    ["commit.gpgSign", "true"],
    ["tag.gpgSign", "true"],
    ["gc.auto", "1"],
    ["submodule.recurse", "true"],
    ["protocol.ext.allow", "always"],
    ["url.ext::sh -c touch.insteadOf", "https://"],
    ["remote.origin.url", `ext::${program("remote.ext")} %S`],
    ["remote.origin.promisor", "true"],
    ["remote.origin.partialclonefilter", "blob:none"],
    ["submodule.sub.url", `ext::${program("submodule.url")} %S`],
    ["submodule.sub.update", `!${program("submodule.update")}`],
    ["submodule.sub.active", "true"],
  ];
  for (const [key, value] of settings) git("config", key, value);
  const more = join(outside, "included");
  writeFileSync(
    more,
    `[core]\n\tfsmonitor = ${program("include.fsmonitor")}\n[diff]\n\texternal = ${program("include.diff")}\n`,
  );
  git("config", "include.path", more);
  folder(join(dir, ".git", "hooks"), "hook");
  mkdirSync(join(dir, ".git", "info"), { recursive: true });
  writeFileSync(join(dir, ".git", "info", "attributes"), "* filter=evil merge=evil diff=evil text ident\n");
  mkdirSync(join(dir, ".git", "objects", "info"), { recursive: true });
  writeFileSync(join(dir, ".git", "objects", "info", "alternates"), `${join(outside, "no objects")}\n`);
  const template = join(outside, "template");
  folder(join(template, "hooks"), "template");
  const env = {
    GIT_EXTERNAL_DIFF: program("GIT_EXTERNAL_DIFF"),
    GIT_SSH_COMMAND: program("GIT_SSH_COMMAND"),
    GIT_SSH: program("GIT_SSH"),
    GIT_ASKPASS: program("GIT_ASKPASS"),
    GIT_PAGER: program("GIT_PAGER"),
    GIT_EDITOR: program("GIT_EDITOR"),
    GIT_PROXY_COMMAND: program("GIT_PROXY_COMMAND"),
    GIT_TEMPLATE_DIR: template,
    GIT_CONFIG_PARAMETERS: `'core.fsmonitor=${program("GIT_CONFIG_PARAMETERS")}'`,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "core.fsmonitor",
    GIT_CONFIG_VALUE_0: program("GIT_CONFIG_VALUE_0"),
    GIT_INDEX_FILE: join(outside, "index"),
    GIT_OBJECT_DIRECTORY: join(outside, "objects"),
    GIT_TRACE: join(outside, "trace"),
  };
  return { env, marks: () => readdirSync(marks).sort() };
}

/** Files for the first commit: attributes that ask for every driver, a submodule nobody can fetch, links out, odd names. */
export function hostileFiles(dir: string, outside: string): void {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  };
  write(
    ".gitattributes",
    "* filter=evil diff=evil merge=evil text eol=crlf ident\n*.u16 working-tree-encoding=UTF-16LE\nexport/** export-subst\n",
  );
  write(".gitmodules", '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch out"\n');
  write(".lfsconfig", "[lfs]\n\turl = https://localhost:1/\n");
  for (const name of [
    "-n",
    "--help",
    "a b",
    "q'\"",
    "tab\tin",
    "$(touch out)",
    "`touch out`",
    "ünï",
    "e\u0301",
    ";x",
    "*",
    "[a]",
    "{b,c}",
    "~",
    "!n",
  ])
    write(`src/api/odd/${name}`, `${name}\n`);
  const link = (target: string, path: string) => {
    if (!existsSync(join(dir, path))) symlinkSync(target, join(dir, path));
  };
  link(outside, "src/api/out");
  link("../../../../../../etc/passwd", "src/api/passwd");
  link("../../.git/config", "src/api/config");
  link("self", "src/api/self");
}
