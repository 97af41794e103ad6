/** Which events a webhook gets, and how its URL is shown. */
import type { OxbowEvent } from "./events.ts";

/** `default`: {@link DEFAULT_EVENTS}; `all`: every event of every task; else the events of these names. */
export type WebhookEvents = "default" | "all" | readonly string[];

/** What somebody wants to know who does not watch: ends, and what waits for a person. */
export const DEFAULT_EVENTS = [
  "task_finished",
  "child_finished",
  "alert",
  "agent_failed",
  "restart_limit_exceeded",
  "approval_requested",
  "merge_escalated",
  /** Only those that failed. */
  "verify_finished",
] as const;

/** The names that a query can look for; null: every one. */
export function eventNames(events: WebhookEvents): readonly string[] | null {
  if (events === "all") return null;
  return events === "default" ? DEFAULT_EVENTS : events;
}

/** Of an event whose name is wanted: whether it goes out. */
export function isWanted(events: WebhookEvents, event: OxbowEvent): boolean {
  return events !== "default" || event.event !== "verify_finished" || !event.verification.ok;
}

/** The URL for showing it: its path and query may be a secret. */
export function shownUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "…";
  return `${parsed.origin}${parsed.pathname + parsed.search === "/" ? "/" : "/…"}`;
}
