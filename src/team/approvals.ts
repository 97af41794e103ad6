/** Requests beyond a scope, as they are asked, shown and decided. */
import type { EventBody } from "../core/events.ts";
import type { Approval } from "../core/model.ts";
import type { Decision } from "../store/approvals.ts";
import type { Store } from "../store/contract.ts";
import { OxbowError } from "../core/errors.ts";

/** A request, and whether its child is still at work: an answer to one that has ended changes nothing. */
export type ShownApproval = Approval & { readonly waiting: boolean };

export function requestedEvent(conversationId: string) {
  return ({
    approval_id,
    task_id,
    subtask_id,
    agent,
    paths,
    reason,
    owner,
    person,
  }: Approval): EventBody => ({
    event: "approval_requested",
    task_id,
    subtask_id,
    conversation_id: conversationId,
    source: agent,
    approval_id,
    agent,
    paths,
    reason,
    owner,
    person,
  });
}

export function decidedEvent(approval: Approval): EventBody {
  const { approval_id, task_id, subtask_id, agent, paths, state, decided_by, answer } = approval;
  return {
    event: "approval_decided",
    task_id,
    subtask_id,
    source: agent,
    approval_id,
    agent,
    paths,
    state: state === "granted" ? "granted" : "denied",
    decided_by: decided_by ?? "",
    answer: answer ?? "",
  };
}

/** Of one task (by id), or all; only the open ones unless `all`. The oldest first. */
export async function listApprovals(
  store: Store,
  { taskId, all = false }: { taskId?: string | undefined; all?: boolean | undefined },
): Promise<readonly ShownApproval[]> {
  const found = await store.approvals.list({
    ...(taskId === undefined ? {} : { taskId }),
    ...(all ? {} : { state: "open" as const }),
  });
  const ended = new Set<string>();
  for (const id of new Set(found.map(({ task_id }) => task_id)))
    for (const outcome of await store.outcomes(id)) ended.add(outcome.subtask_id);
  return found.map((approval) => ({ ...approval, waiting: !ended.has(approval.subtask_id) }));
}

/** A person's answer. Throws approval_unknown; approval_decided with the name of who was first. */
export async function decideApproval(store: Store, id: string, decision: Decision): Promise<ShownApproval> {
  const result = await store.approvals.decide(id, decision, decidedEvent);
  if (!result)
    throw new OxbowError("approval_unknown", `There is no request ${JSON.stringify(id.slice(0, 80))}.`);
  const { approval, first } = result;
  if (!first) {
    const when = approval.decided_at === null ? "" : ` at ${new Date(approval.decided_at).toISOString()}`;
    throw new OxbowError(
      "approval_decided",
      `${approval.decided_by ?? "Somebody"} was first: the request was ${approval.state}${when}.`,
      { details: { approval } },
    );
  }
  const outcomes = await store.outcomes(approval.task_id);
  return { ...approval, waiting: !outcomes.some(({ subtask_id }) => subtask_id === approval.subtask_id) };
}
