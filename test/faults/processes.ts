/** The process table, as the scene's processes are in it. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Scene } from "./seen.ts";

/** Processes that work in the repository, or were started with its temporary directory. */
export function processesOf({ shop, tmp }: Pick<Scene, "shop" | "tmp">): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const told = gone(() => {
      const cwd = readlinkSync(`/proc/${name}/cwd`);
      return `${cwd}\0${readFileSync(`/proc/${name}/cmdline`, "latin1")}\0${readFileSync(`/proc/${name}/environ`, "latin1")}`;
    });
    return told !== null && (told.includes(shop.dir) || told.includes(tmp)) ? [Number(name)] : [];
  });
}

/** Programs of agents, by the mark in their command lines: what holds them in a sandbox as well. */
export function programsOf(scene: Pick<Scene, "shop" | "tmp">, mark: string): readonly number[] {
  return processesOf(scene).filter((pid) =>
    gone(() => readFileSync(`/proc/${pid}/cmdline`, "latin1"))?.includes(mark),
  );
}

/** Git's processes, that of another program's as well. */
export function gitsOf(scene: Pick<Scene, "shop" | "tmp">): readonly number[] {
  return processesOf(scene).filter(
    (pid) => gone(() => readFileSync(`/proc/${pid}/comm`, "latin1").trim()) === "git",
  );
}

export interface Held {
  /** Open files of the process that had the most. */
  readonly handles: number;
  /** Bytes in memory of the process that had the most. */
  readonly resident: number;
}

export function heldBy(pids: readonly number[], so: Held = { handles: 0, resident: 0 }): Held {
  return pids.reduce<Held>((most, pid) => {
    const handles = gone(() => readdirSync(`/proc/${pid}/fd`).length) ?? 0;
    const pages = gone(() => Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1])) ?? 0;
    return {
      handles: Math.max(most.handles, handles),
      resident: Math.max(most.resident, pages * PAGE),
    };
  }, so);
}

const PAGE = 4096;

export function kill(pid: number): boolean {
  return gone(() => process.kill(pid, "SIGKILL")) ?? false;
}

/** Null: it has ended meanwhile, or is somebody else's. */
function gone<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return null;
    throw error;
  }
}
