/**
 * Ids of traces (W3C Trace Context), made from names: so every process that works on a task tells of it in the same trace,
 * and whoever has the task's id can look it up.
 */
import { createHash } from "node:crypto";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Of a task: the first 32 hexadecimal digits of the SHA-256 of its id. */
export function traceIdOf(taskId: string): string {
  return digest(taskId).slice(0, 32);
}

/** Of the span that is the task as a whole, and that everything else of it stands under: the digits after those. */
export function rootSpanIdOf(taskId: string): string {
  return digest(taskId).slice(32, 48);
}
