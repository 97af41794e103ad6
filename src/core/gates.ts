/** Requests and answers as values: to write beyond a scope, and to begin what waits at a gate. */
import type { EventBody } from "./events.ts";
import type { Approval, Subtask, SubtaskState } from "./model.ts";

/** The request with which a subtask asks to begin; null: it need not. It has the same id whoever makes it. */
export function gateRequest(
  subtask: Pick<Subtask, "task_id" | "subtask_id" | "conversation_id" | "agent" | "gate">,
  now: number,
): Approval | null {
  const { task_id, subtask_id, conversation_id, agent, gate } = subtask;
  if (gate === null) return null;
  return {
    approval_id: `g_${conversation_id.replace(/^c_/, "")}`,
    kind: "gate",
    task_id,
    subtask_id,
    agent,
    state: "open",
    paths: [],
    reason: gate.reason,
    owner: null,
    person: gate.person,
    decided_by: null,
    answer: null,
    created_at: now,
    decided_at: null,
  };
}

export function requestedEvent(approval: Approval, conversationId: string): EventBody {
  const { approval_id, kind, task_id, subtask_id, agent, paths, reason, owner, person } = approval;
  return {
    event: "approval_requested",
    task_id,
    subtask_id,
    conversation_id: conversationId,
    source: agent,
    approval_id,
    kind,
    agent,
    paths,
    reason,
    owner,
    person,
  };
}

export function decidedEvent(approval: Approval): EventBody {
  const { approval_id, kind, task_id, subtask_id, agent, paths, state, decided_by, answer } = approval;
  return {
    event: "approval_decided",
    task_id,
    subtask_id,
    source: agent,
    approval_id,
    kind,
    agent,
    paths,
    state: state === "granted" ? "granted" : "denied",
    decided_by: decided_by ?? "",
    answer: answer ?? "",
  };
}

/** Whether nothing goes on before a person answers: some part waits for that, and all that is open waits. */
export function waitsForPerson(subtasks: readonly { readonly state: SubtaskState }[]): boolean {
  const states = new Set(subtasks.map(({ state }) => state));
  return states.has("awaiting_approval") && !states.has("planned") && !states.has("running");
}
