/** Requests as rows and back. */
import type { Selectable } from "kysely";
import type { Approval, ApprovalKind, ApprovalState } from "../core/model.ts";
import { toJson } from "./rows.ts";
import type { ApprovalRow } from "./schema.ts";

export function approvalRow(approval: Approval): ApprovalRow {
  const { agent, paths, owner, person, answer, ...row } = approval;
  return { ...row, requested_by: agent, request: toJson({ paths, owner, person, answer }) };
}

export function toApproval({ requested_by, request, ...row }: Selectable<ApprovalRow>): Approval {
  const asked = JSON.parse(request) as Pick<Approval, "paths" | "owner" | "person" | "answer">;
  return {
    approval_id: row.approval_id,
    kind: row.kind as ApprovalKind,
    task_id: row.task_id,
    subtask_id: row.subtask_id ?? "",
    agent: requested_by,
    state: row.state as ApprovalState,
    reason: row.reason,
    ...asked,
    decided_by: row.decided_by,
    created_at: row.created_at,
    decided_at: row.decided_at,
  };
}
