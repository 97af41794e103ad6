/** The name under which this process holds leases, and whether another's holder is still there. */
import { hostname } from "node:os";
import { processBirth } from "./process.ts";

/** `<host>:<pid>:<birth>`: a later process with the same id has another birth. */
export function workerName(pid: number = process.pid): string {
  return `${hostname()}:${pid}:${processBirth(pid) ?? ""}`;
}

/** Only a process of this host can be known to be dead. */
export function workerIsDead(worker: string): boolean {
  const [host, pid, birth] = worker.split(":");
  return host === hostname() && processBirth(Number(pid)) !== birth;
}
