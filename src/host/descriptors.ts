/** File descriptors that programs would inherit without anybody meaning it. */
import { createWriteStream, openSync, readdirSync, readFileSync } from "node:fs";
import type { Writable } from "node:stream";

const MOST_DESCRIPTORS = 1024;
let inherited: readonly ("ignore" | Writable)[] | null = null;

/**
 * From file descriptor 4 on: /dev/null over each one that this process was given by whoever started it, and that every
 * program it starts would have too. Node's own are never passed on.
 */
export function beyondStatus(): readonly ("ignore" | Writable)[] {
  inherited ??= coverInherited();
  return inherited;
}

function coverInherited(): readonly ("ignore" | Writable)[] {
  if (process.platform !== "linux") return [];
  const open = readdirSync("/proc/self/fd").map(Number);
  const passedOn = open.filter((fd) => fd > 3 && fd < MOST_DESCRIPTORS && isPassedOn(fd));
  const last = Math.max(3, ...passedOn);
  if (last === 3) return [];
  const nothing = createWriteStream("", { fd: openSync("/dev/null", "r+"), autoClose: false });
  return Array.from({ length: last - 3 }, (_, i) => (passedOn.includes(i + 4) ? nothing : "ignore"));
}

function isPassedOn(fd: number): boolean {
  try {
    const [, flags = "0"] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // It was only open for looking.
    return false;
  }
}

/** O_CLOEXEC on Linux. */
const CLOSE_ON_EXEC = 0o2000000;
