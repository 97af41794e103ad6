/** The app's methods that bring work out to people: a diff, a merge into a branch of theirs, a report. */
import type { HandoverCalls } from "./handover-calls.ts";
import type { Rooms } from "./rooms.ts";
import type { Settings } from "./core/settings.ts";

export type ReportFormat = "text" | "json" | "markdown" | "html";

export function handover(
  opened: () => Promise<Rooms>,
  settings: Settings,
  env: Readonly<Record<string, string>>,
): HandoverCalls {
  return {
    async diff(wanted, options = {}) {
      const { ticketDiff } = await import("./team/task-diff.ts");
      const { repo, store, secrets } = await opened();
      return secrets.value(await ticketDiff({ repo, store }, wanted, options));
    },
    async merge(wanted, options = {}, signal = new AbortController().signal) {
      const { mergeOut } = await import("./merge-out.ts");
      const { repo, store, secrets } = await opened();
      const cleaning = { redact: secrets.redact, shown: <T>(value: T) => secrets.value(value) };
      const source = { repo, store, now: Date.now, ...cleaning, settings, env };
      return secrets.value(await mergeOut(source, wanted, options, signal));
    },
    async report(wanted) {
      const { findTicket } = await import("./team/ticket.ts");
      const { ticketHistory } = await import("./team/history.ts");
      const { repo, store, secrets } = await opened();
      const ticket = await findTicket(store, wanted);
      return secrets.value(await ticketHistory({ repo, store, now: Date.now }, ticket));
    },
  };
}
