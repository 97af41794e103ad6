/** Workers as a person reads them. */
import type { WorkerPresence } from "../../app.ts";
import { clip, columns, duration } from "./text.ts";

export function listText(workers: readonly WorkerPresence[]): string {
  if (workers.length === 0) return "No worker is live. Start one with `oxbow worker`.\n";
  const rows = workers.map((each) => [
    shortName(each.worker_id),
    each.team,
    `${each.places} at once`,
    duration(Date.now() - each.started_at),
    clip(each.agents.join(", "), 80),
  ]);
  return `${columns(rows).join("\n")}\n`;
}

/** `<host>:<pid>:<birth>` as a person says it. */
export function shortName(workerId: string): string {
  const [host, pid] = workerId.split(":");
  return `${pid}@${host}`;
}
