/**
 * The order of the queue. What is more urgent counts as queued earlier, by a fixed time: so it goes first, and nothing
 * waits for ever, since what was queued longer ago than that still goes before it.
 */
import type { Json } from "./model.ts";

export const PRIORITIES = ["low", "normal", "high", "urgent"] as const;
export type Priority = (typeof PRIORITIES)[number];

const HOUR_MS = 3_600_000;

/** Milliseconds. */
const HEAD_START_MS: Readonly<Record<Priority, number>> = {
  low: -HOUR_MS,
  normal: 0,
  high: HOUR_MS,
  urgent: 24 * HOUR_MS,
};

/** What `options` of a task say; `normal` where they say nothing. */
export function priorityOf(options: { readonly [key: string]: Json }): Priority {
  const { priority } = options;
  return PRIORITIES.find((each) => each === priority) ?? "normal";
}

/** When a conversation that is queued `now` counts as queued, Unix milliseconds. */
export function queuedAt(priority: Priority, now: number): number {
  return now - HEAD_START_MS[priority];
}
