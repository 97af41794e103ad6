/**
 * Clones that are used again and again: taken in turn, renewed, given back. A few names: a slot is a clone's place on the
 * disk; what this process remembers of the slots it gave back is `warm`.
 */
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { baselineFrom } from "./baseline.ts";
import { type RawPath, toRaw } from "./bytes.ts";
import type { PoolRequest, Workspace } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { createSlotQueue } from "./slot-queue.ts";
import { makePlace, removeScratch, renew, tidy } from "./slot-renew.ts";
import { dropState, saveApart, saveMarks, type SlotState } from "./slot-state.ts";
import {
  giveBack,
  idleSince,
  type KnownSlot,
  listSlots,
  makeSlot,
  retire,
  retireIdle,
  type Slot,
  takeSlot,
} from "./slots.ts";
import type { TreeFile } from "./trees.ts";
import { filesFor, lend, type WorkspaceRequest } from "./workspace.ts";
import { TREE, workspacesDir } from "./workspace-home.ts";
import { unsafeName } from "./workspace-layout.ts";

export interface WorkspacePool {
  /** Throws what `openWorkspace` throws, link_missing, and what the preparation throws. */
  open(request: WorkspaceRequest, pool: PoolRequest, signal?: AbortSignal): Promise<Workspace>;
  /** Removes the idle ones that are not to be kept. */
  close(): Promise<void>;
}

/** Numbers of clones where nothing limits them. */
const MOST = 1000;
/** What is not to be kept is gone after this long without use, also in a process that never ends. */
const UNUSED_MS = 10 * 60 * 1000;
/** How often a waiting process looks for what dead ones had. */
const CLEAR_MS = 5_000;

export function createWorkspacePool(engine: Engine): WorkspacePool {
  const { setup } = engine;
  const queue = createSlotQueue(setup);
  const warm = new Map<string, { readonly state: SlotState; readonly at: number }>();
  let keep = 0;
  let cleared = 0;

  const take = async (pool: PoolRequest): Promise<Slot | null> => {
    const most = pool.most ?? MOST;
    const slots = await listSlots(setup);
    // Those beyond are of a time when there could be more.
    const idle = slots.filter((slot) => slot.idle && slot.number <= most);
    idle.sort((a, b) => Number(warm.has(b.holder)) - Number(warm.has(a.holder)));
    for (const slot of idle) {
      const taken = await takeSlot(slot);
      if (taken !== null) return taken;
    }
    const used = new Set(slots.map(({ number }) => number));
    for (let number = 1; number <= most; number++) {
      if (used.has(number)) continue;
      const made = await makeSlot(setup, number);
      if (made !== null) return made;
    }
    return null;
  };

  const acquire = async (pool: PoolRequest, signal: AbortSignal | undefined): Promise<Slot> => {
    const found = await queue.now(() => take(pool));
    if (found !== null) return found;
    const lookAround = async (): Promise<void> => {
      if (Date.now() - cleared < CLEAR_MS) return;
      cleared = Date.now();
      await pool.clearUp();
    };
    return pool.waiting(() => queue.turn(() => take(pool), lookAround, signal));
  };

  const release = async (slot: Slot, state: SlotState | null): Promise<void> => {
    if (state === null) await dropState(slot.home);
    else if (keep > 0) await saveMarks(slot.home, state);
    await removeScratch(slot.home);
    const id = await giveBack(slot);
    if (state !== null) warm.set(id, { state, at: Date.now() });
    queue.ring();
  };

  /** Those of this process that nobody has used for long. */
  const dropUnused = async (olderThan: number, most = MOST): Promise<void> => {
    const slots = await listSlots(setup);
    let idle = slots.filter((slot) => slot.idle).length;
    for (const slot of slots) {
      const beyond = slot.idle && slot.number > most;
      const since = warm.has(slot.holder) && idle > keep ? await idleSince(slot) : null;
      if (!beyond && (since === null || since > olderThan)) continue;
      if (await retireIdle(setup, slot)) idle -= 1;
      warm.delete(slot.holder);
    }
  };

  /** What stays for the next process holds nothing that programs left. */
  const tidyIdle = async (slot: KnownSlot): Promise<void> => {
    const known = warm.get(slot.holder);
    const taken = known === undefined ? null : await takeSlot(slot);
    if (known === undefined || taken === null) return;
    warm.delete(slot.holder);
    if (await tidy(engine, slot.home, known.state)) await giveBack(taken);
    else await retire(setup, taken);
  };

  return {
    async open(request, pool, signal) {
      keep = pool.keep;
      const longest = path.join(workspacesDir(setup), `00000000-${MOST}`, TREE);
      const { tree, files } = await filesFor(engine, request.commit, longest);
      refuseLinks(pool, files);
      await dropUnused(Date.now() - UNUSED_MS, pool.most ?? MOST);
      const slot = await acquire(pool, signal);
      const { home, holder } = slot;
      const known = slot.was === null ? null : (warm.get(slot.was)?.state ?? null);
      if (slot.was !== null) warm.delete(slot.was);
      try {
        const wanted = { ...request, prepare: pool.prepare, holder };
        const state = await renew(engine, home, known, wanted, signal);
        const dir = path.join(home, TREE);
        for (const { path: at, kind } of pool.places) await makePlace(dir, toRaw(at), kind);
        const places = pool.places.map((place) => toRaw(place.path));
        if (places.length > 0) await saveApart(home, places);
        return await lend(engine, request, {
          home,
          name: holder,
          tree,
          files,
          baseline: baselineFrom(state.marks),
          apart: new Set<RawPath>([...places, ...state.prepared.files]),
          close: () => release(slot, state),
        });
      } catch (error) {
        await retire(setup, slot);
        queue.ring();
        throw unsafeName(error) ?? error;
      }
    },
    async close() {
      await dropUnused(Number.POSITIVE_INFINITY);
      for (const slot of await listSlots(setup)) await tidyIdle(slot);
    },
  };
}

/** A folder of the user's over files of the branch would hide them, and have them deleted. */
function refuseLinks({ links }: PoolRequest, files: readonly TreeFile[]): void {
  for (const at of links) {
    const raw = toRaw(at);
    if (!files.some((file) => file.path === raw || file.path.startsWith(`${raw}/`))) continue;
    throw new OxbowError("workspace_link", `The branch has files of its own at ${at}.`, {
      hint: "Name under workspace.link only what Git ignores, such as node_modules.",
      details: { path: at },
    });
  }
}
