/**
 * A ticket's work into a branch of a person's: fast-forward, merge commit or one squashed commit, made without a checkout
 * and moved by compare-and-swap. Work that is not on the integration branch keeps it back, unless a person says otherwise.
 */
import type { LeftOut, TicketHistory, Verdict } from "./handover-results.ts";
import type { EventBody } from "../core/events.ts";
import type { Conflict } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import type { Handover } from "../git/handover.ts";
import type { Ticket } from "./ticket.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { agentIdentity } from "../git/message.ts";
import { changedBy } from "./changed-by.ts";
import { ticketHistory, unlanded } from "./history.ts";
import { findTicket } from "./ticket.ts";

export type LandingSource = Pick<Engine, "store" | "repo" | "now" | "redact">;

export interface LandRequest {
  /** A task id or a ticket. */
  readonly wanted: string;
  /** A branch; default: the one the ticket's first task began with. */
  readonly into?: string | undefined;
  readonly squash?: boolean | undefined;
  /** Take what is on the integration branch, also while some of the work is not. */
  readonly partial?: boolean | undefined;
}

/** What is to land where. */
export interface LandingPlan {
  readonly ticket: Ticket;
  readonly history: TicketHistory;
  readonly source: { readonly branch: string; readonly commit: string };
  /** Short name. */
  readonly into: string;
  readonly left_out: readonly LeftOut[];
  /** By those whose commits it holds. */
  readonly agents: readonly string[];
}

export type Landing =
  | {
      readonly kind: "landed";
      readonly how: "fast_forward" | "merge" | "squash";
      readonly before: string;
      readonly after: string;
      /** The checkout whose files followed. */
      readonly checkout: string | null;
    }
  | { readonly kind: "unchanged"; readonly before: string; readonly after: string }
  | { readonly kind: "conflict"; readonly before: string; readonly conflicts: readonly Conflict[] };

/** Throws task_unknown, rev_not_found, unlanded_work, usage (no branch to land in). */
export async function planLanding(engine: LandingSource, request: LandRequest): Promise<LandingPlan> {
  const { repo, store } = engine;
  const found = await findTicket(store, request.wanted);
  const [first, ...others] = found.whole;
  const ticket: Ticket = first ? { ...found, tasks: [first, ...others] } : found;
  await repo.remote?.bring({ branches: [ticket.branch] });
  const history = await ticketHistory(engine, ticket);
  if (history.integration === null)
    throw new OxbowError(
      "rev_not_found",
      `There is no ${ticket.branch}: nothing of ${ticket.ticket} was merged.`,
      {
        hint: `Look what became of it: oxbow report ${ticket.ticket}`,
      },
    );
  const left = unlanded(history);
  if (left.length > 0 && request.partial !== true) throw notAll(ticket, left);
  const parts = history.tasks.flatMap((task) => task.parts);
  return {
    ticket,
    history,
    source: history.integration,
    into: await targetOf(engine, ticket, request.into),
    left_out: left,
    agents: [...new Set(parts.filter((part) => part.verdict === "merged").map((part) => part.agent))],
  };
}

function notAll({ ticket, branch }: Ticket, left: readonly LeftOut[]): OxbowError {
  const shown = left.slice(0, 10).map(({ subtask_id, reason }) => `${subtask_id} (${WORDS[reason]})`);
  const more = left.length > shown.length ? ` and ${left.length - shown.length} more` : "";
  return new OxbowError(
    "unlanded_work",
    `Not all of ${ticket} is on ${branch}: ${shown.join(", ")}${more}.`,
    {
      details: { ticket, left_out: left },
    },
  );
}

const WORDS: Readonly<Record<Verdict, string>> = {
  merged: "merged",
  completed: "completed, not merged",
  conflict: "conflict",
  refused: "outside of its paths",
  escalated: "waits for a person",
  reworked: "is done again",
  failed: "failed",
  timed_out: "timed out",
  cancelled: "cancelled",
  running: "at work",
  awaiting_approval: "waits for a person",
  planned: "not begun",
};

/** The branch the first task began with, where that was a branch of a person's. */
async function targetOf({ repo }: LandingSource, ticket: Ticket, given: string | undefined): Promise<string> {
  const bases = ticket.tasks.map((task) => task.base_ref).filter((ref) => ref !== ticket.branch);
  const wanted = given ?? bases[0];
  const name = wanted === "HEAD" ? shortHead(await repo.head()) : wanted?.replace(/^refs\/heads\//, "");
  if (name === undefined || name === null)
    throw new OxbowError("usage", "Nothing says where it is to land.", {
      hint: "Name a branch with --into.",
    });
  if (name === ticket.branch)
    throw new OxbowError("usage", `${name} is where it comes from.`, {
      hint: "Name another branch with --into.",
    });
  if (!name.startsWith("-") && !/[\s\0]/.test(name) && (await repo.readRef(`refs/heads/${name}`)) !== null)
    return name;
  throw new OxbowError("rev_not_found", `There is no branch ${JSON.stringify(name)} here to land in.`, {
    hint:
      given === undefined
        ? "Name a branch with --into."
        : "Name a local branch; --push brings it to a remote.",
  });
}

function shortHead({ ref }: { readonly ref: string | null }): string | null {
  return ref?.replace(/^refs\/heads\//, "") ?? null;
}

/** Somebody else moved the branch in between: done again onto where it is now, this often. */
const MAX_TRIES = 5;

/** Throws branch_checked_out, dirty_tree, branch_moved. */
export async function land(
  engine: LandingSource,
  plan: LandingPlan,
  squash: boolean,
  signal: AbortSignal,
): Promise<Landing> {
  const handover = await engine.repo.handover();
  const ref = `refs/heads/${plan.into}`;
  await handover.mayAdvance(ref);
  for (let tries = 1; ; tries++) {
    const before = await engine.repo.readRef(ref);
    if (before === null) throw new OxbowError("rev_not_found", `${plan.into} is gone; nothing was moved.`);
    const made = await combine(engine, handover, plan, before, squash, signal);
    if (made.kind !== "landed") return made;
    try {
      const { checkout } = await handover.advance({ ref, old: before, new: made.after });
      await engine.store.append(landedEvents(plan, made));
      return { ...made, checkout };
    } catch (error) {
      if (!hasCode(error, "branch_moved") || tries === MAX_TRIES) throw error;
    }
  }
}

/** As it would land, with nothing moved. */
export async function combine(
  engine: LandingSource,
  handover: Handover,
  plan: LandingPlan,
  before: string,
  squash: boolean,
  signal: AbortSignal,
): Promise<Landing> {
  const { commit } = plan.source;
  if (await engine.repo.isAncestor(commit, before)) return { kind: "unchanged", before, after: before };
  if (!squash && (await engine.repo.isAncestor(before, commit)))
    return { kind: "landed", how: "fast_forward", before, after: commit, checkout: null };
  const message = squash ? squashMessage(plan) : mergeMessage(plan);
  const request = {
    onto: before,
    commit,
    squash,
    message: engine.redact(message),
    trailers: trailersOf(plan),
  };
  const result = await handover.integrate(request, signal);
  if (result.kind === "unchanged") return { kind: "unchanged", before, after: before };
  if (result.kind === "conflict") {
    const touched = await changedBy(engine, plan.history);
    const conflicts = result.conflicts.map((each) => ({ ...each, agents: touched(each.path), owners: [] }));
    return { kind: "conflict", before, conflicts };
  }
  const how = squash ? "squash" : "merge";
  return { kind: "landed", how, before, after: result.commit, checkout: null };
}

function trailersOf({ ticket, agents }: LandingPlan): [string, string][] {
  return [
    ...ticket.tasks.map((task): [string, string] => ["Oxbow-Task", task.task_id]),
    ...agents
      .map(agentIdentity)
      .map(({ name, email }): [string, string] => ["Co-authored-by", `${name} <${email}>`]),
  ];
}

function titleOf({ history }: LandingPlan): string {
  return (history.title.split("\n")[0] ?? "").trim().slice(0, 200);
}

function mergeMessage(plan: LandingPlan): string {
  return `Merge ${plan.source.branch} into ${plan.into}\n\n${titleOf(plan)}`;
}

const SUBJECT_CHARS = 72;
const MOST_LINES = 100;

/** The task as the subject, and what the agents' commits said. */
function squashMessage(plan: LandingPlan): string {
  const title = titleOf(plan) || plan.ticket.ticket;
  const subject = title.length <= SUBJECT_CHARS ? title : `${title.slice(0, SUBJECT_CHARS - 1).trimEnd()}…`;
  const lines = plan.history.tasks.flatMap(({ parts }) =>
    parts
      .filter((part) => part.verdict === "merged")
      .flatMap(({ agent, commits }) =>
        commits.map(({ message }) => `- ${agent}: ${message.split("\n")[0] ?? ""}`),
      ),
  );
  const rest = subject === title ? [] : [title, ""];
  const more = lines.length > MOST_LINES ? [`- and ${lines.length - MOST_LINES} more`] : [];
  return [subject, "", ...rest, ...lines.slice(0, MOST_LINES), ...more].join("\n");
}

/** Durably, once for each URL. What is no URL of a form that programs take is not kept. */
export async function keepPullRequest(
  { store }: Pick<LandingSource, "store">,
  { ticket, source, into }: LandingPlan,
  url: string,
): Promise<void> {
  if (!URL.canParse(url) || url.length > MOST_URL) return;
  const event = "pull_request";
  const events = await Promise.all(
    ticket.tasks.map(async ({ task_id }): Promise<EventBody[]> => {
      const known = await store.events(task_id, null, MOST_KNOWN, [event]);
      const isKnown = known.some((each) => each.event === event && each.url === url);
      return isKnown ? [] : [{ event, task_id, url, branch: source.branch, into }];
    }),
  );
  if (events.flat().length > 0) await store.append(events.flat());
}

const MOST_URL = 2_000;
/** Pull requests of one task that are looked at. */
const MOST_KNOWN = 100;

function landedEvents(plan: LandingPlan, landing: Extract<Landing, { kind: "landed" }>): EventBody[] {
  const { into, source } = plan;
  const { how, after } = landing;
  return plan.ticket.tasks.map(({ task_id }) => ({
    event: "landed",
    task_id,
    into,
    how,
    from: source.commit,
    commit: after,
  }));
}
