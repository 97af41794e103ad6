/** What dead processes left behind: their programs are ended, their work is saved, their files are removed. */
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { hasCode } from "../core/errors.ts";
import { endStrays, strayMark } from "../host/strays.ts";
import { attemptRef, workIn } from "./attempts.ts";
import { openBranchTree } from "./branch-tree.ts";
import { collectChanges } from "./collect.ts";
import type { Salvaged } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";
import { removeScratch as removeSlotScratch } from "./slot-renew.ts";
import { loadApart, loadState } from "./slot-state.ts";
import {
  giveBack,
  idleSince,
  isHeld,
  isRemembered,
  type KnownSlot,
  listSlots,
  retire,
  type Slot,
  takeSlot,
} from "./slots.ts";
import {
  age,
  endPrograms,
  isOwned,
  keepFiles,
  names,
  newWorkspaceName,
  notedOwner,
  removeTree,
  TREE,
  workspacesDir,
} from "./workspace-home.ts";

/** Scratch files are used for moments; what is this old belongs to nobody. */
const SCRATCH_AGE_MS = 60 * 60 * 1000;
/** A prepared clone that no run has asked for in this time goes. */
const UNUSED_AGE_MS = 7 * 24 * 60 * 60 * 1000;
/** Workspaces of processes that are gone, and old scratch files of the private git dir. */
export async function sweep(engine: Engine): Promise<{ removed: number; saved: readonly Salvaged[] }> {
  const { setup } = engine;
  const saved: Salvaged[] = [];
  let removed = (await engine.locks.clear()).length;
  for (const name of await names(workspacesDir(setup))) {
    const dir = path.join(workspacesDir(setup), name);
    if (await isOwned(name, dir)) continue;
    const taken = await take(setup, dir);
    if (taken === null) continue;
    await endPrograms(taken);
    await endStrays(strayMark(name));
    const work = await salvage(engine, taken);
    if (work) saved.push(work);
    await removeTree(taken);
    removed++;
  }
  for (const slot of await listSlots(setup)) {
    if (!(await isLeft(slot))) continue;
    const taken = await takeSlot(slot);
    if (taken === null) continue;
    if (!slot.idle) {
      await endPrograms(slot.home);
      await endStrays(strayMark(slot.holder));
      const work = await salvage(engine, slot.home, slot.holder);
      if (work) saved.push(work);
    }
    await letGo(setup, taken, slot);
    removed++;
  }
  return { removed: removed + (await removeScratch(setup)), saved };
}

/** A clone of the pool whose process is gone, or that nobody has used for long, or that nobody else can use. */
async function isLeft(slot: KnownSlot): Promise<boolean> {
  if (!slot.idle) return !(await isHeld(slot));
  if (!(await isRemembered(slot)) && (await loadState(slot.home)) === null) return true;
  const since = await idleSince(slot);
  return since !== null && Date.now() - since > UNUSED_AGE_MS;
}

/** It is used again when it is known what its files were before the dead process had it. */
async function letGo(setup: Setup, taken: Slot, { idle, home }: KnownSlot): Promise<void> {
  if (idle || (await loadState(home)) === null) return retire(setup, taken);
  await removeSlotScratch(home);
  await giveBack(taken);
}

/** Several processes may sweep at once: the one that renames it has it. */
async function take(setup: Setup, dir: string): Promise<string | null> {
  const taken = path.join(workspacesDir(setup), newWorkspaceName());
  try {
    await rename(dir, taken);
    return taken;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * What the program had changed when its worker died becomes a commit on that attempt's ref. Nothing of the dead
 * process's memory is left, so every file is compared by its bytes. What cannot be saved so is kept as files.
 */
async function salvage(engine: Engine, home: string, name = path.basename(home)): Promise<Salvaged | null> {
  const noted = await notedOwner(home);
  if (noted === null) return null;
  const { from, ...owner } = noted;
  try {
    const commit = await engine.objects.commitOrNull(from);
    if (commit === null) return null;
    const saved = await engine.readRef(attemptRef(owner.subtaskId, owner.attempt));
    const tree = await openBranchTree(engine, owner, saved);
    // What it had saved stays: its program's changes go on top.
    const work = saved === null ? null : await workIn(engine, saved);
    if (work !== null) await tree.restoreWork(work);
    const files = await engine.trees.files(commit.tree);
    const unknown = { unchanged: () => false, forget: () => undefined };
    const { refused } = await collectChanges(
      engine,
      { home, dir: path.join(home, TREE), files, baseline: unknown, apart: await loadApart(home) },
      tree,
    );
    if (refused.length > 0) await keepFiles(engine.setup, home, name);
    const found = await tree.saveWork();
    return found && { ...owner, ...found };
  } catch (error) {
    if (!hasCode(error)) throw error;
    await keepFiles(engine.setup, home, name);
    return null;
  }
}

async function removeScratch(setup: Setup): Promise<number> {
  let removed = 0;
  const privateDir = setup.objectSite.cwd;
  const scratch: readonly [string, RegExp][] = [
    [path.join(setup.stateDir, "tmp"), /./],
    [path.join(privateDir, "refs", "oxbow", "tmp"), /./],
    [privateDir, /^fast_import_crash_|\.new_/],
  ];
  for (const [dir, pattern] of scratch) {
    for (const name of await names(dir)) {
      const file = path.join(dir, name);
      if (!pattern.test(name) || (await age(file)) < SCRATCH_AGE_MS) continue;
      await rm(file, { recursive: true, force: true });
      removed++;
    }
  }
  return removed;
}
