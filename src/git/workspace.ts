/**
 * A private clone for an agent that needs real files. It shares the repository's objects, has no remote, no hooks and no
 * filters, and holds the bytes as Git stores them. What the agent does to its `.git` never reaches the repository: only
 * files come back, and no git of ours runs in it once the agent has had it.
 */
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { type Baseline, baselineFrom, onDisk, takeMarks } from "./baseline.ts";
import type { RawPath } from "./bytes.ts";
import { collectChanges } from "./collect.ts";
import { runGitOrThrow } from "./command.ts";
import { createContent } from "./workspace-content.ts";
import type { Oid, WorkOwner, Workspace } from "./contract.ts";
import type { Engine } from "./engine.ts";
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
import { layOut, objectFolders, refuseLongPaths, unsafeName } from "./workspace-layout.ts";

export interface WorkspaceRequest {
  readonly commit: Oid;
  readonly branch: string;
  readonly owner?: WorkOwner;
}

/** Throws path_rejected (a name that no safe checkout can hold), rev_not_found, cancelled. */
export async function openWorkspace(
  engine: Engine,
  request: WorkspaceRequest,
  signal?: AbortSignal,
): Promise<Workspace> {
  const { setup } = engine;
  const home = path.join(workspacesDir(setup), newWorkspaceName());
  const dir = path.join(home, TREE);
  const { tree, files } = await filesFor(engine, request.commit, dir);
  try {
    const site = await layOut(setup, dir, request);
    await runGitOrThrow(site, ["read-tree", "--reset", "-u", request.commit], {}, signal);
    const baseline = baselineFrom(await takeMarks(dir, path.join(home, "stamp"), onDisk(files)));
    const name = path.basename(home);
    const close = () => removeTree(home);
    return await lend(engine, request, { home, name, tree, files, baseline, close });
  } catch (error) {
    await removeTree(home);
    throw unsafeName(error) ?? error;
  }
}

/** Throws rev_not_found, path_rejected. */
export async function filesFor(engine: Engine, oid: Oid, dir: string) {
  const commit = await engine.objects.commitOrNull(oid);
  if (commit === null) throw new OxbowError("rev_not_found", `There is no commit ${oid}.`);
  const files = await engine.trees.files(commit.tree);
  refuseLongPaths(dir, files);
  return { tree: commit.tree, files };
}

export interface Prepared {
  readonly home: string;
  readonly name: string;
  readonly tree: Oid;
  readonly files: readonly TreeFile[];
  readonly baseline: Baseline;
  /** Never a change: see `Collected`. */
  readonly apart?: ReadonlySet<RawPath>;
  readonly close: () => Promise<void>;
}

/** A prepared clone as its user sees it. From here on `sweep` knows whose it is. */
export async function lend(engine: Engine, request: WorkspaceRequest, from: Prepared): Promise<Workspace> {
  const { setup } = engine;
  const { home, name, tree, close, ...held } = from;
  const dir = path.join(home, TREE);
  if (request.owner) await noteOwner(home, { ...request.owner, from: request.commit });
  const sources = await objectFolders(path.join(setup.commonDir, "objects"));
  const content = createContent(engine, { home, dir, ...held }, { ...request, tree });
  let closing: Promise<void> | null = null;
  return {
    dir,
    name,
    sources,
    runs: (pid) => noteProgram(home, pid),
    keep: () => keepFiles(setup, home, name),
    collect: (branch, abort) => collectChanges(engine, content.held(), branch, abort),
    update: (branch) => content.update(branch),
    settle: (branch) => content.settle(branch),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}
