/**
 * What a workspace holds while it goes to and fro between programs and file tools: the branch's edits are put on the disk
 * before a program runs, and what it changed is known from what was put there. A process that dies in between leaves
 * whole files and a note of what they were.
 */
import { constants, type Stats } from "node:fs";
import {
  chmod,
  lstat,
  open,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import type { RawPath } from "./bytes.ts";
import type { Collected } from "./collect.ts";
import { runGitOrThrow } from "./command.ts";
import type { BranchTree, Oid, WorkOwner } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { inFolder, openFolder, removeAll, splitPath, steadily } from "./inside.ts";
import { isMissing } from "./missing.ts";
import type { TreeDifference } from "./trees.ts";
import { noteOwner } from "./workspace-home.ts";

export interface WorkspaceContent {
  /** What programs' changes are told from. */
  held(): Collected;
  update(tree: BranchTree): Promise<void>;
  settle(tree: BranchTree): Promise<void>;
}

interface Start {
  readonly commit: Oid;
  readonly tree: Oid;
  readonly branch: string;
  readonly owner?: WorkOwner;
}

const SUBMODULE = "160000";
const SYMLINK = "120000";

export function createContent(engine: Engine, at: Collected, start: Start): WorkspaceContent {
  const { home, dir, baseline } = at;
  let { files } = at;
  let tree = start.tree;
  let tip = start.commit;

  const changesTo = async (snapshot: Oid) => {
    const wanted = (await engine.objects.commit(snapshot)).tree;
    return { snapshot, wanted, changes: await engine.trees.diff(tree, wanted) };
  };

  const adopt = async ({ snapshot, wanted, changes }: Awaited<ReturnType<typeof changesTo>>) => {
    for (const { path: changed } of changes) baseline.forget(changed);
    files = await engine.trees.files(wanted);
    tree = wanted;
    if (start.owner) await noteOwner(home, { ...start.owner, from: snapshot });
  };

  const followTip = async (now: Oid): Promise<void> => {
    if (now === tip) return;
    const indexFile = path.join(home, "index.new");
    const { cwd, gitDir, objectDir } = engine.setup.objectSite;
    const site = {
      cwd,
      indexFile,
      ...(gitDir === undefined ? {} : { gitDir }),
      ...(objectDir === undefined ? {} : { objectDir }),
    };
    await runGitOrThrow(site, ["read-tree", now], {});
    await inFolder(dir, ".git", { make: true }, (folder) => rename(indexFile, folder.at("index")));
    const ref = path.join(home, "ref.new");
    await writeFile(ref, `${now}\n`);
    const [folder, name] = splitPath(`.git/refs/heads/${start.branch}`);
    await inFolder(dir, folder, { make: true }, (heads) => rename(ref, heads.at(name)));
    tip = now;
  };

  return {
    held: () => ({ ...at, files }),
    async update(branch) {
      const next = await changesTo(await branch.snapshot());
      const { changes } = next;
      for (const change of changes) if (!isFile(change.after)) await remove(dir, change.path);
      for (const change of changes) if (isFile(change.after)) await put(engine, at, change);
      await adopt(next);
      await followTip(branch.tip);
    },
    async settle(branch) {
      await adopt(await changesTo(await branch.snapshot()));
    },
  };
}

function isFile(entry: TreeDifference["after"]): entry is NonNullable<TreeDifference["after"]> {
  return entry !== null && entry.mode !== SUBMODULE;
}

/** Written beside the work tree and moved in: nobody ever sees half a file. */
async function put(
  engine: Engine,
  { home, dir }: Collected,
  { path: raw, after }: TreeDifference,
): Promise<void> {
  if (!isFile(after)) return;
  const content = await engine.objects.blob(after.oid);
  await steadily(raw, () => putFile(home, dir, raw, after.mode, content));
}

async function putFile(
  home: string,
  dir: string,
  raw: RawPath,
  mode: string,
  content: Uint8Array,
): Promise<void> {
  const [above, name] = splitPath(raw);
  // A symlink or a file where the branch has a folder gives way to it: nothing is written through it.
  using folder = openFolder(dir, above, { make: true });
  const file = folder.at(name);
  const there = await look(file);
  if (there !== null && (await isSame(file, there, mode, content))) return;
  if (there?.isDirectory()) await removeAll(folder, name);
  const fresh = path.join(home, "file.new");
  await rm(fresh, { force: true });
  if (mode === SYMLINK) await symlink(Buffer.from(content), fresh);
  else {
    await writeFile(fresh, content, { flag: "wx" });
    await chmod(fresh, (Number.parseInt(mode, 8) & 0o100) === 0 ? 0o644 : 0o755);
  }
  await rename(fresh, file);
}

async function isSame(file: Buffer, stats: Stats, mode: string, content: Uint8Array): Promise<boolean> {
  if (stats.isSymbolicLink())
    return mode === SYMLINK && (await readlink(file, { encoding: "buffer" })).equals(content);
  if (!stats.isFile() || mode === SYMLINK || stats.size !== content.length) return false;
  if ((stats.mode & 0o100) !== (Number.parseInt(mode, 8) & 0o100)) return false;
  // Whatever still runs may swap the file for a link or a pipe: neither is followed nor waited for.
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return (await handle.readFile()).equals(content);
}

/** Folders that are empty then go too, as Git has it. */
async function remove(dir: string, raw: RawPath): Promise<void> {
  for (let at = raw, first = true; at !== ""; [at] = splitPath(at), first = false) {
    const [above, name] = splitPath(at);
    try {
      using folder = openFolder(dir, above);
      const there = await look(folder.at(name));
      if (there === null || there.isDirectory() === first) return;
      await (first ? unlink(folder.at(name)) : rmdir(folder.at(name)));
    } catch (error) {
      if (error instanceof Error && "code" in error && STAYS.has(error.code)) return;
      throw error;
    }
  }
}

/** Something else stands where it or its folder was, or the folder is not empty. */
const STAYS: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENOTEMPTY", "EEXIST", "EISDIR"]);

async function look(file: Buffer): Promise<Stats | null> {
  return lstat(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}
