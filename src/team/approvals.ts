/** Requests to a person, to write beyond a scope or to begin, as they are shown and decided. */
import type { Approval, Subtask } from "../core/model.ts";
import type { Decision } from "../store/approvals.ts";
import type { Store } from "../store/contract.ts";
import { OxbowError } from "../core/errors.ts";
import { decidedEvent } from "../core/gates.ts";
import { unheldEnd } from "./unheld.ts";

/** What a person says to a request; `as`: who, in place of the repository's user. */
export interface Answer {
  readonly granted: boolean;
  readonly reason: string;
  readonly as?: string | undefined;
}

/** A request, and whether its child is still at work: an answer to one that has ended changes nothing. */
export type ShownApproval = Approval & { readonly waiting: boolean };

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

/**
 * A person's answer. What is not to begin ends as `cancelled`, with the code `approval_denied`. Throws approval_unknown;
 * approval_decided with the name of who was first.
 */
export async function decideApproval(
  { store, redact }: { readonly store: Store; readonly redact: (text: string) => string },
  id: string,
  decision: Decision,
): Promise<ShownApproval> {
  const denied = (subtask: Subtask, approval: Approval) =>
    unheldEnd(subtask, "cancelled", denial(approval), null, redact);
  const result = await store.approvals.decide(id, decision, decidedEvent, denied);
  if (!result)
    throw new OxbowError("approval_unknown", `There is no request ${JSON.stringify(id.slice(0, 80))}.`);
  const { approval, first } = result;
  if (!first) throw tooLate(approval);
  if (approval.kind === "gate" && approval.state === "denied") await store.relay();
  const outcomes = await store.outcomes(approval.task_id);
  return { ...approval, waiting: !outcomes.some(({ subtask_id }) => subtask_id === approval.subtask_id) };
}

function denial({ decided_by, answer }: Approval): OxbowError {
  const said = answer === null || answer === "" ? "" : ` ${answer}`;
  return new OxbowError("approval_denied", `${decided_by ?? "A person"} said no.${said}`);
}

function tooLate(approval: Approval): OxbowError {
  const when = approval.decided_at === null ? "" : ` at ${new Date(approval.decided_at).toISOString()}`;
  const message =
    approval.state === "withdrawn"
      ? `Nobody waits for it any more: ${approval.subtask_id} ended${when}.`
      : `${approval.decided_by ?? "Somebody"} was first: the request was ${approval.state}${when}.`;
  return new OxbowError("approval_decided", message, { details: { approval } });
}
