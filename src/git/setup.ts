/** Finds the repository, reads what is needed of the user's configuration once, and lays out Oxbow's own git dir. */
import { realpath, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { environment } from "../host/env.ts";
import { makeFolder } from "../host/folders.ts";
import { newId } from "../host/ids.ts";
import { type GitAnswer, type GitSite, gitText } from "./command.ts";
import type { Identity, OpenRepository } from "./contract.ts";
import { isMissing } from "./missing.ts";

export interface Setup {
  readonly root: string;
  readonly gitDir: string;
  readonly commonDir: string;
  readonly stateDir: string;
  readonly bare: boolean;
  readonly identity: Identity;
  /** The null id: its length tells SHA-1 from SHA-256. */
  readonly zero: string;
  readonly ignoreCase: boolean;
  readonly version: readonly [number, number];
  /** As git says it, such as `2.39.5`. */
  readonly gitVersion: string;
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
  const [version, place, config] = await Promise.all([
    gitText(look, ["version"]),
    gitText(look, ["rev-parse", ...QUESTIONS]),
    gitText(look, [
      "config",
      "--includes",
      "-z",
      "--get-regexp",
      "^(user|committer)\\.(name|email)$|^core\\.ignorecase$",
    ]),
  ]);
  const numbers = checkedVersion(version);
  if (place.exitCode !== 0) throw notFound(options.path, place.stderr);
  const [gitDir = "", commonDir = "", bareWord = "", format = "", inside = "", cdup = ""] =
    place.stdout.split("\n");
  const bare = bareWord === "true";
  const common = await realpath(commonDir);
  const own = await realpath(gitDir);
  const root = bare ? own : await topOf(cwd, own, inside === "true", cdup);
  const values = configValues(config.stdout);
  const identity = identityFrom(values);
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
    identity,
    zero: "0".repeat(format === "sha256" ? 64 : 40),
    ignoreCase: values.get("core.ignorecase") === "true",
    version: numbers,
    gitVersion: version.stdout.trim().replace(/^git version /, ""),
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

function notFound(given: string, stderr: string): OxbowError {
  if (/dubious ownership/.test(stderr)) {
    return new OxbowError("not_a_repository", `Git refuses ${given}: it belongs to somebody else.`, {
      hint: "If you trust it: git config --global --add safe.directory DIR",
    });
  }
  return new OxbowError("not_a_repository", `${given} is not inside a Git repository.`, {
    details: { git: stderr.trim().slice(0, 500) },
  });
}

function checkedVersion(answer: GitAnswer): readonly [number, number] {
  const match = /git version (\d+)\.(\d+)/.exec(answer.stdout);
  const found: readonly [number, number] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  if (atLeast(found, OLDEST)) return found;
  const shown = answer.stdout.trim() === "" ? "no version" : answer.stdout.trim();
  throw new OxbowError("git_too_old", `Git ${OLDEST.join(".")} or newer is needed; found ${shown}.`);
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

/** `config -z` prints `key LF value NUL`; a later value of a key wins. */
function configValues(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const record of text.split("\0")) {
    const at = record.indexOf("\n");
    if (at > 0) values.set(record.slice(0, at), record.slice(at + 1));
  }
  return values;
}

/** As Git picks the committer; without a name and an address it is Oxbow. */
function identityFrom(values: ReadonlyMap<string, string>): Identity {
  const outer = environment();
  const pick = (variable: string, key: string): string =>
    plain(
      outer[`GIT_COMMITTER_${variable}`] ?? values.get(`committer.${key}`) ?? values.get(`user.${key}`) ?? "",
    );
  const name = pick("NAME", "name");
  const email = pick("EMAIL", "email").replaceAll(" ", "");
  return name === "" || email === "" ? { name: "Oxbow", email: "oxbow@localhost" } : { name, email };
}

/** Git itself drops these from names and addresses: they would end the line they stand in. */
export function plain(text: string): string {
  return text
    .replace(/[<>\p{Cc}\u2028\u2029]/gu, " ")
    .replace(/ {2,}/g, " ")
    .replace(/^[\s.,:;'"\\]+|[\s.,:;'"\\]+$/g, "");
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
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("store_failed", `The state directory ${stateDir} cannot be made: ${why}`, {
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
