/**
 * Every git process of Oxbow is made here: `gitArgs` and `gitEnv` harden it, `gitText` (simple-git) serves short calls,
 * `runGit` the ones with input, raw or large output, `startGit` the helpers that stay open. Nothing else starts git.
 */
import { simpleGit } from "simple-git";
import { OxbowError } from "../core/errors.ts";
import { environment } from "../host/env.ts";
import { type LongProcess, type RunOptions, type RunResult, run, startProcess } from "../host/process.ts";
import type { Identity } from "./contract.ts";

/** Where a git process works. Without `gitDir` git looks for the repository itself, from `cwd` upwards. */
export interface GitSite {
  readonly cwd: string;
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly objectDir?: string;
  readonly indexFile?: string;
  /** The repository's list of cut-off commits, when it is a shallow clone. */
  readonly shallowFile?: string;
  /** Committer (and author, where git asks for one). */
  readonly identity?: Identity;
  /** Flush refs and loose objects to the disk: each costs an fsync. */
  readonly durable?: boolean;
  /** Read the user's own and the system's configuration: only to look at, or switch, the user's checkout. */
  readonly userConfig?: boolean;
  /** Settings over those of the repository, as key and value. */
  readonly settings?: readonly (readonly [string, string])[];
  /** Fetches or pushes: with what this process was told to show the server. */
  readonly remote?: RemoteProfile;
  /** What brings objects that are not here: for the error that says so. */
  readonly missingHint?: string;
}

/** How this process shows a server who it is: its own settings, never those of a repository. */
export interface RemoteProfile {
  /** A command line, as of GIT_SSH_COMMAND. */
  readonly sshCommand: string | undefined;
  /** As of `credential.helper`. */
  readonly credentialHelper: string | undefined;
}

const HARDENING: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "diff.external=",
  "core.pager=cat",
  "submodule.recurse=false",
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "gc.auto=0",
  "maintenance.auto=false",
  "core.quotePath=false",
  // Without it git looks for refs named like each object id it is given.
  "core.warnAmbiguousRefs=false",
  "core.filesRefLockTimeout=2000",
];

/** By default Git flushes packs only: a killed process loses nothing, a power cut may take the last moments. */
const DURABLE: readonly string[] = ["core.fsync=committed,loose-object,reference", "core.fsyncMethod=batch"];

/** Options before the verb, the same for every call at a site. */
export function gitArgs(site: Pick<GitSite, "durable"> = {}): readonly string[] {
  const settings = site.durable === true ? [...HARDENING, ...DURABLE] : HARDENING;
  return [...settings.flatMap((setting) => ["-c", setting]), "--literal-pathspecs"];
}

/** What the operating system itself needs to start a program. */
const SYSTEM_KEYS = [
  "PATH",
  "TMPDIR",
  "SystemRoot",
  "SYSTEMROOT",
  "WINDIR",
  "TEMP",
  "TMP",
  "PATHEXT",
  "ComSpec",
];
/** Where the user's configuration is found. */
const USER_KEYS = [
  "HOME",
  "XDG_CONFIG_HOME",
  "USERPROFILE",
  "HOMEDRIVE",
  "HOMEPATH",
  "APPDATA",
  "PROGRAMDATA",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_CONFIG_NOSYSTEM",
];
/** What ssh, a credential helper and a connection through a proxy need. */
const REMOTE_KEYS = [
  "HOME",
  "SSH_AUTH_SOCK",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "https_proxy",
  "HTTPS_PROXY",
  "all_proxy",
  "ALL_PROXY",
  "no_proxy",
  "NO_PROXY",
];

/** The whole environment of a git process at `site`. */
export function gitEnv(site: GitSite): Record<string, string> {
  const outer = environment();
  const env: Record<string, string> = {
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_NO_LAZY_FETCH: "1",
  };
  for (const key of SYSTEM_KEYS) copy(outer, key, env);
  if (site.userConfig === true) {
    for (const key of USER_KEYS) copy(outer, key, env);
  } else {
    env["GIT_CONFIG_NOSYSTEM"] = "1";
    env["GIT_CONFIG_GLOBAL"] = "/dev/null";
    env["GIT_ATTR_NOSYSTEM"] = "1";
  }
  if (site.remote !== undefined) {
    for (const key of REMOTE_KEYS) copy(outer, key, env);
    // Not every TLS library that git is built with looks at these itself.
    copy(outer, "SSL_CERT_FILE", env, "GIT_SSL_CAINFO");
    copy(outer, "SSL_CERT_DIR", env, "GIT_SSL_CAPATH");
    env["GIT_ALLOW_PROTOCOL"] = "https:http:ssh:file";
    env["GIT_SSH_COMMAND"] = site.remote.sshCommand ?? "ssh -o BatchMode=yes";
  }
  if (site.gitDir !== undefined) env["GIT_DIR"] = site.gitDir;
  if (site.workTree !== undefined) env["GIT_WORK_TREE"] = site.workTree;
  if (site.objectDir !== undefined) env["GIT_OBJECT_DIRECTORY"] = site.objectDir;
  if (site.indexFile !== undefined) env["GIT_INDEX_FILE"] = site.indexFile;
  if (site.shallowFile !== undefined) env["GIT_SHALLOW_FILE"] = site.shallowFile;
  for (const [i, [key, value]] of (site.settings ?? []).entries()) {
    env["GIT_CONFIG_COUNT"] = String(i + 1);
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  if (site.identity !== undefined) {
    env["GIT_COMMITTER_NAME"] = env["GIT_AUTHOR_NAME"] = site.identity.name;
    env["GIT_COMMITTER_EMAIL"] = env["GIT_AUTHOR_EMAIL"] = site.identity.email;
  }
  return env;
}

function copy(
  from: Readonly<Record<string, string>>,
  key: string,
  to: Record<string, string>,
  as: string = key,
): void {
  const value = from[key];
  if (value !== undefined) to[as] = value;
}

export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A short call with text output, through simple-git. A failure of the command is in the answer; throws git_too_old when git is missing. */
export async function gitText(site: GitSite, args: readonly string[]): Promise<GitAnswer> {
  const env = gitEnv(site);
  let exitCode = 0;
  let stderr = "";
  const git = simpleGit({
    baseDir: site.cwd,
    allowEnvironment: Object.keys(env),
    unsafe: {
      allowUnsafeHooksPath: true,
      allowUnsafeFsMonitor: true,
      allowUnsafeDiffExternal: true,
      allowUnsafePager: true,
      allowUnsafeConfigPaths: true,
      allowUnsafeConfigEnvCount: true,
      allowUnsafeFilter: true,
    },
    // Its own ways to end a call keep every call 50 ms longer: "exit" as well as "close" is waited for, …
    completion: { onClose: true, onExit: false },
    errors: (_error, result) => {
      exitCode = result.exitCode;
      stderr = Buffer.concat(result.stdErr).toString("utf8");
      return undefined;
    },
  })
    .env(env)
    // … and a call without a word of output is taken for one whose output is still to come.
    .outputHandler((_command, out) => void out.once("end", () => out.emit("data", Buffer.alloc(0))));
  let stdout: string;
  try {
    stdout = await git.raw([...gitArgs(site), ...args]);
  } catch (error) {
    throw startFailure(error);
  }
  // simple-git reports a program that cannot start as a negative exit code with the reason in stderr.
  if (exitCode < 0) throw startFailure(stderr);
  return { exitCode, stdout, stderr };
}

/** As {@link gitText}, for a call that has no reason to fail: throws git_failed with git's own words. */
export async function gitTextOrThrow(site: GitSite, args: readonly string[]): Promise<string> {
  const answer = await gitText(site, args);
  if (answer.exitCode !== 0) throw gitFailed(args, answer.stderr, site);
  return answer.stdout;
}

/** A call with input, raw bytes, a cap or an AbortSignal. The outcome is a value; throws cancelled and git_too_old (missing). */
export async function runGit(
  site: GitSite,
  args: readonly string[],
  options: Partial<Omit<RunOptions, "cwd" | "env">> = {},
  signal?: AbortSignal,
): Promise<RunResult> {
  const result = await run(
    "git",
    [...gitArgs(site), ...args],
    { ...options, cwd: site.cwd, env: gitEnv(site) },
    signal,
  );
  if (result.startError !== null) throw startFailure(result.startError);
  if (result.cancelled && signal?.aborted === true) throw cancelled();
  return result;
}

/** As {@link runGit}; throws git_failed unless it exits with 0. */
export async function runGitOrThrow(
  site: GitSite,
  args: readonly string[],
  options: Partial<Omit<RunOptions, "cwd" | "env">> = {},
  signal?: AbortSignal,
): Promise<Buffer> {
  const result = await runGit(site, args, options, signal);
  if (result.exitCode !== 0) throw gitFailed(args, result.stderr.toString("utf8"), site);
  return result.stdout;
}

/** A git process that stays open; `prefix` is a program to start it through (`stdbuf -o0`). */
export function startGit(
  site: GitSite,
  args: readonly string[],
  prefix: readonly string[] = [],
): LongProcess {
  const [file = "git", ...rest] = [...prefix, "git", ...gitArgs(site), ...args];
  return startProcess(file, rest, { cwd: site.cwd, env: gitEnv(site) });
}

/** Git's own words as an error: repository_read_only, objects_missing, else git_failed. */
export function gitFailed(args: readonly string[], stderr: string, site?: GitSite): OxbowError {
  const words = stderr.trim().split("\n").slice(0, 5).join("\n").slice(0, 2000);
  const [verb = ""] = args;
  const details = { verb };
  if (READ_ONLY.test(stderr))
    return new OxbowError("repository_read_only", `Git may not write to the repository: ${words}`, {
      details,
    });
  const lock = LOCKED.exec(stderr)?.[1];
  if (lock !== undefined)
    return new OxbowError("repository_locked", `Git finds the repository locked by ${lock}.`, {
      hint: `Try again. If no git is at work here, it was left by one that died: rm '${lock}'`,
      details: { verb, lock },
    });
  if (MISSING.test(stderr))
    return objectsMissing(`The repository lacks objects that are needed: ${words}`, site);
  return new OxbowError("git_failed", `git ${verb} failed: ${words === "" ? "no message" : words}`, {
    details,
  });
}

const LOCKED = /[Uu]nable to create (?:file )?'([^'\n]+\.(?:lock|new))': File exists/;
const READ_ONLY =
  /insufficient permission for adding an object|Read-only file system|(?:unable|cannot|could not|failed to) .*Permission denied|unable to create directory for/i;
const MISSING =
  /unable to read (?:sha1 file|tree|blob|object)|could not read (?:object )?[0-9a-f]{40}|cannot read blob|missing (?:blob|tree)|bad tree object|[0-9a-f]{40,64} not found/i;

export function objectsMissing(
  message: string,
  site?: GitSite,
  details: Record<string, unknown> = {},
): OxbowError {
  const hint = site?.missingHint;
  return new OxbowError("objects_missing", message, { details, ...(hint === undefined ? {} : { hint }) });
}

export function cancelled(): OxbowError {
  return new OxbowError("cancelled", "The work on the repository was cancelled.");
}

function startFailure(cause: unknown): OxbowError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (!text.includes("ENOENT")) return new OxbowError("git_failed", `git did not start: ${text}`, { cause });
  return new OxbowError("git_too_old", "git is not installed, or not on PATH.", { cause });
}
