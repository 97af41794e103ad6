/**
 * A private clone for an agent that needs real files. It shares the repository's objects, has no remote, no hooks and no
 * filters, and holds the bytes as Git stores them. What the agent does to its `.git` never reaches the repository: only
 * files come back, and no git of ours runs in it once the agent has had it.
 */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { hasCode, OxbowError } from "../core/errors.ts";
import { type GitSite, runGitOrThrow } from "./command.ts";
import { createBaseline } from "./baseline.ts";
import { shownPath } from "./bytes.ts";
import { collectChanges } from "./collect.ts";
import { createContent } from "./workspace-content.ts";
import type { Oid, WorkOwner, Workspace } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";
import type { TreeFile } from "./trees.ts";
import {
  keepFiles,
  newWorkspaceName,
  noteOwner,
  noteProgram,
  removeTree,
  TREE,
  workspacesDir,
} from "./workspace-home.ts";

/** Over every `.gitattributes`: no conversion of line ends, identifiers, filters or encodings. */
const RAW = "* -text -crlf !eol -ident -filter !working-tree-encoding\n";

/** Throws path_rejected (a name that no safe checkout can hold), rev_not_found, cancelled. */
export async function openWorkspace(
  engine: Engine,
  options: { commit: Oid; branch: string; owner?: WorkOwner },
  signal?: AbortSignal,
): Promise<Workspace> {
  const { setup } = engine;
  const commit = await engine.objects.commitOrNull(options.commit);
  if (commit === null) throw new OxbowError("rev_not_found", `There is no commit ${options.commit}.`);
  const home = path.join(workspacesDir(setup), newWorkspaceName());
  const dir = path.join(home, TREE);
  const files = await engine.trees.files(commit.tree);
  refuseLongPaths(dir, files);
  try {
    const site = await layOut(setup, dir, options);
    await runGitOrThrow(site, ["read-tree", "--reset", "-u", options.commit], {}, signal);
    if (options.owner) await noteOwner(home, { ...options.owner, from: options.commit });
    const sources = await objectFolders(path.join(setup.commonDir, "objects"));
    const baseline = await createBaseline(dir, path.join(home, "stamp"), files);
    const content = createContent(engine, { home, dir, files, baseline }, { ...options, tree: commit.tree });
    return {
      dir,
      name: path.basename(home),
      sources,
      runs: (pid) => noteProgram(home, pid),
      keep: () => keepFiles(setup, home),
      collect: (tree, abort) => collectChanges(engine, content.held(), tree, abort),
      update: (tree) => content.update(tree),
      settle: (tree) => content.settle(tree),
      [Symbol.asyncDispose]: () => removeTree(home),
    };
  } catch (error) {
    await removeTree(home);
    throw unsafeName(error) ?? error;
  }
}

const MOST_STORES = 32;

/** A store of objects and those it borrows from, as far as they are there. */
async function objectFolders(first: string): Promise<readonly string[]> {
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

function refuseLongPaths(dir: string, files: readonly TreeFile[]): void {
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

async function layOut(setup: Setup, dir: string, options: { commit: Oid; branch: string }): Promise<GitSite> {
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

/** Git's refusal to check out a name that means something else to a file system. */
function unsafeName(error: unknown): OxbowError | null {
  if (!hasCode(error, "git_failed")) return null;
  const name = /invalid path '([^']*)'/.exec(error.message)?.[1];
  return name === undefined
    ? null
    : new OxbowError("path_rejected", `A workspace cannot hold ${name}.`, {
        details: { path: name },
        cause: error,
      });
}
