/** Finds the repository, reads what is needed of the user's configuration once, and lays out Oxbow's own git dir. */
import { accessSync, constants } from "node:fs";
import { realpath, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { environment } from "../host/env.ts";
import { makeFolder } from "../host/folders.ts";
import { newId } from "../host/ids.ts";
import { type GitSite, gitText } from "./command.ts";
import type { OpenRepository } from "./contract.ts";
import { isMissing } from "./missing.ts";
import { unsupported, type UserConfig, userConfig, WANTED_KEYS } from "./user-config.ts";

export interface Setup extends UserConfig {
  readonly root: string;
  readonly gitDir: string;
  readonly commonDir: string;
  readonly stateDir: string;
  readonly bare: boolean;
  /** The null id: its length tells SHA-1 from SHA-256. */
  readonly zero: string;
  /** Throws git_too_old. */
  readonly version: () => Promise<GitVersion>;
  /** Where the repository keeps its objects. */
  readonly objectDir: string;
  readonly durable: boolean;
  /** The repository's refs, in the git dir that all its work trees share. */
  readonly refSite: GitSite;
  /** The user's checkout: HEAD, index, files. */
  readonly checkoutSite: GitSite;
  /** Oxbow's own bare git dir with the repository's objects. All object work happens here. */
  readonly objectSite: GitSite;
}

const OLDEST: readonly [number, number] = [2, 38];

/** Throws not_a_repository, git_too_old. */
export async function setUp(options: OpenRepository): Promise<Setup> {
  const cwd = await directory(options.path);
  const look: GitSite = { cwd, userConfig: true };
  const version = createVersion(look);
  const [place, config] = await Promise.all([
    gitText(look, ["rev-parse", ...QUESTIONS]),
    gitText(look, ["config", "--includes", "-z", "--get-regexp", WANTED_KEYS]),
  ]);
  if (place.exitCode !== 0) throw notFound(options.path, cwd, place.stderr, (await version()).shown);
  const [gitDir = "", commonDir = "", bareWord = "", format = "", inside = "", cdup = ""] =
    place.stdout.split("\n");
  // A Git that does not know a question repeats it.
  if (!path.isAbsolute(commonDir)) await version();
  const bare = bareWord === "true";
  const common = await realpath(commonDir);
  const own = await realpath(gitDir);
  const root = bare ? own : await topOf(cwd, own, inside === "true", cdup);
  const user = userConfig(config.stdout);
  const { identity } = user;
  const stateDir = path.resolve(options.stateDir ?? path.join(common, "oxbow"));
  const privateDir = await makePrivateDir(stateDir, format);
  const shallow = path.join(common, "shallow");
  const durable = options.durable === true;
  return {
    root,
    gitDir: own,
    commonDir: common,
    stateDir,
    bare,
    ...user,
    zero: "0".repeat(format === "sha256" ? 64 : 40),
    version,
    objectDir: path.join(common, "objects"),
    durable,
    refSite: { cwd: common, gitDir: common, identity, durable },
    checkoutSite: bare
      ? { cwd: own, gitDir: own, identity }
      : { cwd: root, gitDir: own, workTree: root, identity, userConfig: true },
    objectSite: {
      cwd: privateDir,
      gitDir: privateDir,
      objectDir: path.join(common, "objects"),
      identity,
      durable,
      ...((await exists(shallow)) ? { shallowFile: shallow } : {}),
      ...(user.shared === null ? {} : { settings: [["core.sharedRepository", user.shared]] }),
      ...(user.promisor === null ? {} : { missingHint: fetchEverything(root, user.promisor) }),
    },
  };
}

const QUESTIONS = [
  "--absolute-git-dir",
  "--path-format=absolute",
  "--git-common-dir",
  "--is-bare-repository",
  "--show-object-format",
  "--is-inside-work-tree",
  "--path-format=relative",
  "--show-cdup",
];

async function directory(given: string): Promise<string> {
  try {
    const found = await realpath(given);
    return (await stat(found)).isDirectory() ? found : path.dirname(found);
  } catch (error) {
    throw new OxbowError("not_a_repository", `There is no directory ${given}.`, { cause: error });
  }
}

/** In a partial clone: everything that was left out. */
function fetchEverything(root: string, remote: string): string {
  return `This is a partial clone. Bring what it left out: git -C ${shellWord(root)} fetch --refetch --no-filter ${shellWord(remote)}`;
}

/** A text as one word of a command that a person pastes. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function notFound(given: string, cwd: string, stderr: string, version: string): OxbowError {
  if (/dubious ownership/.test(stderr)) {
    const place = /safe\.directory (?:'([^\n]+)'|([^\n]+))/.exec(stderr);
    return new OxbowError("not_a_repository", `Git refuses ${given}: it belongs to somebody else.`, {
      hint: `If you trust it: git config --global --add safe.directory ${shellWord(place?.[1]?.replaceAll("'\\''", "'") ?? place?.[2] ?? cwd)}`,
    });
  }
  const extension = /unknown repository extensions? found:\s+(\S+)/.exec(stderr)?.[1];
  if (extension !== undefined)
    return unsupported(extension, `uses something that your ${version} does not know`);
  const format = /Expected git repo version <= \d+, found (\d+)/i.exec(stderr)?.[1];
  if (format !== undefined)
    return new OxbowError(
      "repository_unsupported",
      `Your ${version} cannot read repository format ${format}.`,
    );
  const elsewhere = environment()["GIT_DIR"];
  return new OxbowError("not_a_repository", `${given} is not inside a Git repository.`, {
    details: { git: stderr.trim().slice(0, 500) },
    ...(elsewhere === undefined
      ? {}
      : { hint: `GIT_DIR has no say here; name the repository: --repo ${shellWord(elsewhere)}` }),
  });
}

export interface GitVersion {
  readonly numbers: readonly [number, number];
  /** As git says it, such as `git version 2.39.5`. */
  readonly shown: string;
}

/** Asked when somebody wants to know, and once. */
function createVersion(site: GitSite): () => Promise<GitVersion> {
  let asked: Promise<GitVersion> | null = null;
  const ask = async (): Promise<GitVersion> => {
    const shown = (await gitText(site, ["version"])).stdout.trim();
    const match = /git version (\d+)\.(\d+)/.exec(shown);
    const numbers = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)] as const;
    if (atLeast(numbers, OLDEST)) return { numbers, shown };
    const found = shown === "" ? "no version" : shown;
    throw new OxbowError("git_too_old", `Git ${OLDEST.join(".")} or newer is needed; found ${found}.`);
  };
  return () => (asked ??= ask());
}

export function atLeast(found: readonly [number, number], wanted: readonly [number, number]): boolean {
  return found[0] > wanted[0] || (found[0] === wanted[0] && found[1] >= wanted[1]);
}

/** The top of the work tree; asked from inside the git dir, git names it only from outside. */
async function topOf(cwd: string, gitDir: string, inside: boolean, cdup: string): Promise<string> {
  if (inside) return realpath(path.resolve(cwd, cdup));
  const above = path.dirname(gitDir);
  const answer = await gitText({ cwd: above, gitDir, userConfig: true }, ["rev-parse", "--show-toplevel"]);
  return answer.exitCode === 0 ? realpath(answer.stdout.trim()) : above;
}

/**
 * A bare git dir that says nothing but the object format. It holds no objects, so repositories that share a state
 * directory can share it.
 */
async function makePrivateDir(stateDir: string, format: string): Promise<string> {
  const sha256 = format === "sha256";
  const dir = path.join(stateDir, sha256 ? "git-sha256" : "git");
  try {
    makeFolder(path.join(dir, "refs"));
    makeFolder(path.join(dir, "objects"));
    accessSync(stateDir, constants.W_OK);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("store_failed", `The state directory ${stateDir} cannot be written: ${why}`, {
      hint: "Give a directory that you may write with OXBOW_HOME.",
      cause: error,
    });
  }
  const extension = sha256 ? "[extensions]\n\tobjectFormat = sha256\n" : "";
  const version = sha256 ? 1 : 0;
  await writeNew(
    path.join(dir, "config"),
    `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n${extension}`,
  );
  await writeNew(path.join(dir, "HEAD"), "ref: refs/heads/none\n");
  return realpath(dir);
}

/** Two processes may open a repository at once: each renames the same content into place. */
async function writeNew(file: string, content: string): Promise<void> {
  if (await exists(file)) return;
  const draft = `${file}.${newId("new")}`;
  await writeFile(draft, content);
  await rename(draft, file);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
