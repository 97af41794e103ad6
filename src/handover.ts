/** The app's methods that bring work out to people: a diff, a merge into a branch of theirs, a report. */
import type { Rooms } from "./rooms.ts";
import type { Merged, MergeOptions } from "./merge-out.ts";
import type { TicketDiff } from "./team/task-diff.ts";
import type { TicketHistory } from "./team/history.ts";
import type { Settings } from "./core/settings.ts";

export type { Merged, MergeOptions } from "./merge-out.ts";
export type { BranchDiff, TicketDiff } from "./team/task-diff.ts";
export type { HistoryPart, HistoryTask, TicketHistory, Verdict } from "./team/history.ts";
export type { FileDifference } from "./git/show-diff.ts";

export const REPORT_FORMATS = ["text", "json", "markdown", "html"] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

export interface HandoverCalls {
  /**
   * What `integration/<ticket>` (or an agent's branches) changes against where the task began, redacted. Throws task_unknown,
   * agent_unknown, rev_not_found (nothing was merged).
   */
  diff(taskOrTicket: string, options?: { readonly agent?: string | undefined }): Promise<TicketDiff>;
  /**
   * Brings `integration/<ticket>` into a branch of yours. A conflict is a value and moves nothing. Throws task_unknown,
   * rev_not_found, unlanded_work, dirty_tree, branch_checked_out, branch_moved, usage.
   */
  merge(taskOrTicket: string, options?: MergeOptions, signal?: AbortSignal): Promise<Merged>;
  /** The whole story of a task or ticket, redacted, from rows and events alone. Throws task_unknown. */
  report(taskOrTicket: string): Promise<TicketHistory>;
}

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
