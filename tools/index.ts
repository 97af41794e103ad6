/** Oxbow's own tools, in the order in which a model sees them. */
import type { ToolDef } from "../src/core/tool.ts";
import { applyPatch } from "./apply_patch.ts";
import { barrierRun } from "./barrier_run.ts";
import { chatSend } from "./chat_send.ts";
import { commitTool } from "./commit.ts";
import { deleteFile } from "./delete_file.ts";
import { diffTool } from "./diff.ts";
import { editFile } from "./edit_file.ts";
import { listFiles } from "./list_files.ts";
import { moveFile } from "./move_file.ts";
import { orchestrateSplit } from "./orchestrate_split.ts";
import { readFile } from "./read_file.ts";
import { scopeRequest } from "./scope_request.ts";
import { searchFiles } from "./search_files.ts";
import { signalSend } from "./signal_send.ts";
import { signalWait } from "./signal_wait.ts";
import { signalWaitAll } from "./signal_wait_all.ts";
import { signalWaitAny } from "./signal_wait_any.ts";
import { teamOwner } from "./team_owner.ts";
import { terminalRun } from "./terminal_run.ts";
import { todoCreate } from "./todo_create.ts";
import { todoDelete } from "./todo_delete.ts";
import { todoGet } from "./todo_get.ts";
import { todoList } from "./todo_list.ts";
import { todoUpdate } from "./todo_update.ts";
import { writeFile } from "./write_file.ts";

export const builtinTools: readonly ToolDef[] = [
  listFiles,
  readFile,
  searchFiles,
  writeFile,
  editFile,
  applyPatch,
  moveFile,
  deleteFile,
  diffTool,
  commitTool,
  terminalRun,
  orchestrateSplit,
  barrierRun,
  signalSend,
  signalWait,
  signalWaitAny,
  signalWaitAll,
  teamOwner,
  scopeRequest,
  chatSend,
  todoCreate,
  todoGet,
  todoList,
  todoUpdate,
  todoDelete,
];
