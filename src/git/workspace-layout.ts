/** The `.git` of a private clone, and what of a commit no clone can hold. */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { hasCode, OxbowError } from "../core/errors.ts";
import { shownPath } from "./bytes.ts";
import type { GitSite } from "./command.ts";
import type { Oid } from "./contract.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";
import type { TreeFile } from "./trees.ts";

/** Over every `.gitattributes`: no conversion of line ends, identifiers, filters or encodings. */
const RAW = "* -text -crlf !eol -ident -filter !working-tree-encoding\n";

export async function layOut(
  setup: Setup,
  dir: string,
  options: { commit: Oid; branch: string },
): Promise<GitSite> {
  const gitDir = path.join(dir, ".git");
  const ref = path.join(gitDir, "refs", "heads", ...options.branch.split("/"));
  await mkdir(path.dirname(ref), { recursive: true });
  await mkdir(path.join(gitDir, "objects", "info"), { recursive: true });
  await mkdir(path.join(gitDir, "info"), { recursive: true });
  const sha256 = setup.zero.length === 64;
  const config = [
    "[core]",
    `\trepositoryFormatVersion = ${sha256 ? 1 : 0}`,
    "\tbare = false",
    "\tautocrlf = false",
    "\thooksPath = /dev/null",
    "\tfsmonitor = false",
    "\tlogAllRefUpdates = false",
    ...(sha256 ? ["[extensions]", "\tobjectFormat = sha256"] : []),
    "[user]",
    "\tname = Oxbow",
    "\temail = oxbow@localhost",
    "[gc]",
    "\tauto = 0",
  ];
  await Promise.all([
    writeFile(path.join(gitDir, "config"), `${config.join("\n")}\n`),
    writeFile(path.join(gitDir, "HEAD"), `ref: refs/heads/${options.branch}\n`),
    writeFile(ref, `${options.commit}\n`),
    writeFile(path.join(gitDir, "info", "attributes"), RAW),
    writeFile(
      path.join(gitDir, "objects", "info", "alternates"),
      `${path.join(setup.commonDir, "objects")}\n`,
    ),
  ]);
  const { shallowFile, missingHint } = setup.objectSite;
  // Programs' own git ends the history where the repository's does.
  if (shallowFile !== undefined) await copyFile(shallowFile, path.join(gitDir, "shallow"));
  return {
    cwd: dir,
    gitDir,
    workTree: dir,
    ...(shallowFile === undefined ? {} : { shallowFile }),
    ...(missingHint === undefined ? {} : { missingHint }),
  };
}

const MOST_STORES = 32;

/** A store of objects and those it borrows from, as far as they are there. */
export async function objectFolders(first: string): Promise<readonly string[]> {
  const found = [first];
  for (let i = 0; i < found.length && i < MOST_STORES; i++) {
    const store = found[i] ?? "";
    const text = await readFile(path.join(store, "info", "alternates"), "utf8").catch(noFile);
    for (const line of text.split("\n")) {
      const folder = line === "" || line.startsWith("#") ? null : path.resolve(store, line);
      if (folder !== null && !found.includes(folder)) found.push(folder);
    }
  }
  return found;
}

function noFile(error: unknown): string {
  if (isMissing(error)) return "";
  throw error;
}

/** What the system takes as one path, in bytes. */
const MAX_PATH_BYTES = process.platform === "linux" ? 4095 : 1023;

export function refuseLongPaths(dir: string, files: readonly TreeFile[]): void {
  const room = MAX_PATH_BYTES - Buffer.byteLength(dir) - 1;
  const long = files.find((file) => file.path.length > room);
  if (long === undefined) return;
  const shown = shownPath(long.path.slice(0, 60));
  throw new OxbowError(
    "path_rejected",
    `A workspace cannot hold ${shown}…: a path of ${long.path.length} bytes.`,
    {
      hint: "Shorten the path; models can still work on this repository, programs cannot.",
      details: { path: shownPath(long.path) },
    },
  );
}

/** Git's refusal to check out a name that means something else to a file system. */
export function unsafeName(error: unknown): OxbowError | null {
  if (!hasCode(error, "git_failed")) return null;
  const name = /invalid path '([^']*)'/.exec(error.message)?.[1];
  return name === undefined
    ? null
    : new OxbowError("path_rejected", `A workspace cannot hold ${name}.`, {
        details: { path: name },
        cause: error,
      });
}
