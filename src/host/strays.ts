/** Descendants of a program that left its process group (setsid, a daemon), where no sandbox holds them together. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** A variable that every descendant inherits unless it takes care not to. */
export interface StrayMark {
  readonly name: string;
  readonly value: string;
}

const MARK = "OXBOW_PROGRAM";
/** One that was just forking when it was looked for is met in the next round. */
const MOST_ROUNDS = 50;

export function strayMark(value: string = randomBytes(12).toString("hex")): StrayMark {
  return { name: MARK, value };
}

/** Ends every process of ours that carries the mark (Linux; elsewhere nothing is known of them). */
export async function endStrays({ name, value }: StrayMark): Promise<void> {
  if (process.platform !== "linux") return;
  const wanted = Buffer.from(`${name}=${value}\0`);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const marked = processes().filter((pid) => carries(pid, wanted));
    if (marked.length === 0) return;
    for (const pid of marked) end(pid);
    await pause(2);
  }
}

function processes(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** What has ended, or belongs to others, cannot be read. */
function carries(pid: number, wanted: Buffer): boolean {
  if (pid === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(wanted);
  } catch {
    return false;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")))
      throw error;
  }
}
