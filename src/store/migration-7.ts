/** Schema version 7: a branch's subtask is found without reading every subtask of its task. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addBranchIndex(db: Transaction<Schema>): Promise<void> {
  await db.schema.createIndex("subtasks_by_branch").on("subtasks").columns(["task_id", "branch"]).execute();
}
