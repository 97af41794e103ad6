import type { TicketHistory } from "./team/history.ts";
export function reportPage(history: TicketHistory): string {
  return history.title;
}
