import type { BranchTree, WorkOwner } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";

/** Whose work a workspace of this attempt holds. */
export function ownerOf({ subtask, attempt }: Lease, { branch, base }: BranchTree): WorkOwner {
  const { agent, task_id: taskId, subtask_id: subtaskId, conversation_id: conversationId } = subtask;
  return { branch, base, agent, taskId, subtaskId, conversationId, attempt };
}
