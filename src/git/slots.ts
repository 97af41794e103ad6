/**
 * The clones of the pool on the disk: `<state>/workspaces/<repository>-<n>/`, each with one file that says who has it,
 * `lease.<pid>.<start time>.<host>.<id>`, or had, `lease.idle.<pid>.<start time>.<host>.<id>`. Whoever renames that file has the clone; of
 * several, one succeeds. A clone comes into being with its lease in it, by one rename. Its path never changes, since what
 * is set up in it may hold that path.
 */
import { createHash } from "node:crypto";
import { mkdir, rename, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";
import { isOwned, names, newWorkspaceName, removeTree, workspacesDir } from "./workspace-home.ts";

/** A clone that is ours until `giveBack` or `retire`. */
export interface Slot {
  readonly home: string;
  /** Whose it is, in the form of {@link newWorkspaceName}: unique to this use of it. */
  readonly holder: string;
  /** The id it had while nobody had it; null when it is new. */
  readonly was: string | null;
}

export interface KnownSlot {
  readonly home: string;
  readonly number: number;
  readonly holder: string;
  readonly idle: boolean;
}

const LEASE = "lease.";
const IDLE = "idle.";

/** Several repositories may share a state directory. */
export function poolName(setup: Setup): string {
  return createHash("sha256").update(setup.commonDir).digest("hex").slice(0, 8);
}

/** True for the folder of a clone of any repository's pool. */
export function isSlotName(name: string): boolean {
  return /^[0-9a-f]{8}-\d+$/.test(name);
}

/** This repository's, by number. */
export async function listSlots(setup: Setup): Promise<readonly KnownSlot[]> {
  const prefix = `${poolName(setup)}-`;
  const found: KnownSlot[] = [];
  for (const name of await names(workspacesDir(setup))) {
    if (!isSlotName(name) || !name.startsWith(prefix)) continue;
    const home = path.join(workspacesDir(setup), name);
    const holder = await holderOf(home);
    if (holder === null) continue;
    found.push({
      home,
      number: Number(name.slice(prefix.length)),
      holder,
      idle: holder.startsWith(IDLE),
    });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** Null while it changes hands, and when it is gone. */
export async function holderOf(home: string): Promise<string | null> {
  const file = (await names(home)).find((name) => name.startsWith(LEASE));
  return file?.slice(LEASE.length) ?? null;
}

/** Takes a clone from nobody, or from a process that is gone. Null when somebody else was faster. */
export async function takeSlot({ home, holder, idle }: Omit<KnownSlot, "number">): Promise<Slot | null> {
  const mine = newWorkspaceName();
  try {
    await rename(path.join(home, LEASE + holder), path.join(home, LEASE + mine));
    return { home, holder: mine, was: idle ? holder : null };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** A new clone, empty. Null when there is one of this number by now. */
export async function makeSlot(setup: Setup, number: number): Promise<Slot | null> {
  const holder = newWorkspaceName();
  const dir = workspacesDir(setup);
  const draft = path.join(dir, newWorkspaceName());
  const home = path.join(dir, `${poolName(setup)}-${number}`);
  await mkdir(draft, { recursive: true });
  await writeFile(path.join(draft, LEASE + holder), "");
  try {
    await rename(draft, home);
    return { home, holder, was: null };
  } catch (error) {
    await removeTree(draft);
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOTEMPTY" || code === "EEXIST") return null;
    throw error;
  }
}

/** Others may have it. Gives the id by which the next one knows what was in it. */
export async function giveBack({ home, holder }: Slot): Promise<string> {
  const now = new Date();
  const id = IDLE + newWorkspaceName();
  await utimes(path.join(home, LEASE + holder), now, now);
  await rename(path.join(home, LEASE + holder), path.join(home, LEASE + id));
  return id;
}

/** Unix milliseconds since when nobody has it; null when somebody has it by now. */
export async function idleSince({ home, holder }: KnownSlot): Promise<number | null> {
  try {
    return (await stat(path.join(home, LEASE + holder))).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Its number is free at once; what is in it goes. */
export async function retire(setup: Setup, { home }: Slot): Promise<void> {
  const aside = path.join(workspacesDir(setup), newWorkspaceName());
  await rename(home, aside);
  await removeTree(aside);
}

/** Removes a clone that nobody has. False when somebody has it. */
export async function retireIdle(setup: Setup, slot: KnownSlot): Promise<boolean> {
  const taken = slot.idle ? await takeSlot(slot) : null;
  if (taken !== null) await retire(setup, taken);
  return taken !== null;
}

/** Of an idle one: does the process that gave it back still run, and may remember what is in it? */
export async function isRemembered({ idle, holder, home }: KnownSlot): Promise<boolean> {
  return idle && (await isOwned(holder.slice(IDLE.length), home));
}

export async function isHeld({ idle, holder, home }: KnownSlot): Promise<boolean> {
  return !idle && (await isOwned(holder, home));
}
