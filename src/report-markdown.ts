import type { TicketHistory } from "./team/history.ts";
export function reportMarkdown(history: TicketHistory): string {
  return history.title;
}
