/**
 * What a workspace holds while it goes to and fro between programs and file tools: the branch's edits are put on the disk
 * before a program runs, and what it changed is known from what was put there. A process that dies in between leaves
 * whole files and a note of what they were.
 */
import type { Stats } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { below } from "./baseline.ts";
import type { RawPath } from "./bytes.ts";
import type { Collected } from "./collect.ts";
import { runGitOrThrow } from "./command.ts";
import type { BranchTree, Oid, WorkOwner } from "./contract.ts";
import type { Engine } from "./engine.ts";
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
    await rename(indexFile, path.join(dir, ".git", "index"));
    const ref = path.join(home, "ref.new");
    await writeFile(ref, `${now}\n`);
    await rename(ref, path.join(dir, ".git", "refs", "heads", ...start.branch.split("/")));
    tip = now;
  };

  return {
    held: () => ({ home, dir, files, baseline }),
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
  const file = below(dir, raw);
  await makeFolders(dir, raw);
  const there = await look(file);
  if (there !== null && (await isSame(file, there, after.mode, content))) return;
  if (there?.isDirectory()) await rm(file, { recursive: true, force: true, maxRetries: 3 });
  const fresh = path.join(home, "file.new");
  await rm(fresh, { force: true });
  if (after.mode === SYMLINK) await symlink(Buffer.from(content), fresh);
  else {
    await writeFile(fresh, content, { flag: "wx" });
    await chmod(fresh, (Number.parseInt(after.mode, 8) & 0o100) === 0 ? 0o644 : 0o755);
  }
  await rename(fresh, file);
}

async function isSame(file: Buffer, stats: Stats, mode: string, content: Uint8Array): Promise<boolean> {
  if (stats.isSymbolicLink())
    return mode === SYMLINK && (await readlink(file, { encoding: "buffer" })).equals(content);
  if (!stats.isFile() || mode === SYMLINK || stats.size !== content.length) return false;
  if ((stats.mode & 0o100) !== (Number.parseInt(mode, 8) & 0o100)) return false;
  return (await readFile(file)).equals(content);
}

/** A symlink or a file where the branch has a folder gives way to it: nothing is written through it. */
async function makeFolders(dir: string, raw: RawPath): Promise<void> {
  for (const folder of foldersAbove(raw).toReversed()) {
    const place = below(dir, folder);
    const there = await look(place);
    if (there?.isDirectory()) continue;
    if (there !== null) await unlink(place);
    await mkdir(place);
  }
}

/** Folders that are empty then go too, as Git has it. */
async function remove(dir: string, raw: RawPath): Promise<void> {
  const above = foldersAbove(raw);
  for (const folder of above.toReversed())
    if ((await look(below(dir, folder)))?.isDirectory() !== true) return;
  const there = await look(below(dir, raw));
  if (there === null || there.isDirectory()) return;
  await unlink(below(dir, raw));
  for (const folder of above) {
    try {
      await rmdir(below(dir, folder));
    } catch (error) {
      if (
        error instanceof Error &&
        "code" in error &&
        (error.code === "ENOTEMPTY" || error.code === "EEXIST")
      )
        return;
      throw error;
    }
  }
}

/** The nearest first. */
function foldersAbove(raw: RawPath): RawPath[] {
  const found: RawPath[] = [];
  for (let at = raw.lastIndexOf("/"); at > 0; at = raw.lastIndexOf("/", at - 1)) found.push(raw.slice(0, at));
  return found;
}

async function look(file: Buffer): Promise<Stats | null> {
  return lstat(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}
