/** What a ticket's integration branch, or an agent's own branch, changes against where its work began. */
import type { BranchDiff, TicketDiff } from "./handover-results.ts";
import type { Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import type { FileDifference } from "../git/show-diff.ts";
import type { Ticket } from "./ticket.ts";
import { OxbowError } from "../core/errors.ts";
import { currentOf } from "./lines.ts";
import { baseOf } from "./scope-check.ts";
import { findTicket } from "./ticket.ts";

type Source = Pick<Engine, "store" | "repo">;

/** Throws task_unknown, agent_unknown (no part of it was that agent's), rev_not_found. */
export async function ticketDiff(
  source: Source,
  wanted: string,
  { agent }: { readonly agent?: string | undefined },
): Promise<TicketDiff> {
  const ticket = await findTicket(source.store, wanted);
  const compared =
    agent === undefined ? [await ofTicket(source, ticket)] : await ofAgent(source, ticket, agent);
  const diffs = await Promise.all(compared.map((each) => compare(source, each)));
  return { ticket: ticket.ticket, task_ids: ticket.tasks.map(({ task_id }) => task_id), diffs };
}

type Compared = Pick<BranchDiff, "branch" | "agent" | "subtask_id" | "base" | "commit">;

async function compare({ repo }: Source, compared: Compared): Promise<BranchDiff> {
  const handover = await repo.handover();
  const [{ files, text, truncated }, stat] = await Promise.all([
    handover.diff(compared.base, compared.commit),
    handover.diffStat(compared.base, compared.commit),
  ]);
  const sum = (of: (file: FileDifference) => number | null) =>
    files.reduce((n, file) => n + (of(file) ?? 0), 0);
  const additions = sum((file) => file.additions);
  const deletions = sum((file) => file.deletions);
  return { ...compared, files, additions, deletions, stat, diff: text, truncated };
}

async function ofTicket({ repo }: Source, ticket: Ticket): Promise<Compared> {
  const { branch, tasks } = ticket;
  await repo.remote?.bring({ branches: [branch] });
  const commit = await repo.readRef(`refs/heads/${branch}`);
  if (commit === null)
    throw new OxbowError("rev_not_found", `There is no ${branch}: nothing of ${ticket.ticket} was merged.`, {
      hint: `Look at an agent's branch with --agent, or at what happened: oxbow report ${ticket.ticket}`,
    });
  const bases = tasks.map((task) => task.base_commit);
  const inHistory = await Promise.all(bases.map((base) => repo.isAncestor(base, commit)));
  // The branch may have been made anew since the first task.
  const base =
    bases.find((_, i) => inHistory[i]) ?? (await repo.mergeBase(bases[0] ?? commit, commit)) ?? commit;
  return { branch, agent: null, subtask_id: null, base, commit };
}

async function ofAgent(source: Source, ticket: Ticket, agent: string): Promise<Compared[]> {
  const { repo, store } = source;
  const found: { task: Task; subtask: Subtask }[] = [];
  const agents = new Set<string>();
  for (const task of ticket.tasks)
    for (const subtask of currentOf(await store.subtasks(task.task_id))) {
      agents.add(subtask.agent);
      if (subtask.agent === agent) found.push({ task, subtask });
    }
  if (found.length === 0)
    throw new OxbowError("agent_unknown", `No part of ${ticket.ticket} is ${agent}'s.`, {
      hint: `Its agents are ${[...agents].sort().join(", ")}.`,
    });
  await repo.remote?.bring({
    branches: found.flatMap(({ subtask }) => subtask.branch ?? []),
    bases: found.map(({ subtask }) => subtask.subtask_id),
  });
  const compared: Compared[] = [];
  for (const { task, subtask } of found) {
    const { branch, subtask_id } = subtask;
    const commit = branch === null ? null : await repo.readRef(`refs/heads/${branch}`);
    if (branch === null || commit === null) continue;
    compared.push({ branch, agent, subtask_id, base: await baseOf(source, subtask, task), commit });
  }
  if (compared.length > 0) return compared;
  throw new OxbowError("rev_not_found", `${agent} has no branch for ${ticket.ticket}.`, {
    hint: `Look what became of it: oxbow report ${ticket.ticket}`,
  });
}
