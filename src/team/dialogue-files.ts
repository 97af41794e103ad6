/** A commit's files as the tools see them, for an agent that only talks: it may read what it may read, and write nothing. */
import type { BranchFiles } from "../core/tool.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { scopeOf } from "./scope.ts";

export async function readOnlyFiles(
  engine: Engine,
  agent: string,
  conversationId: string,
): Promise<{ readonly files: BranchFiles; readonly commit: string }> {
  const { repo, team } = engine;
  const commit = await repo.resolve(team.repo.base ?? "HEAD");
  // A branch that is never written: only reads reach it.
  const tree = await repo.openBranch({
    branch: `talk/${conversationId}`,
    base: commit,
    agent,
    taskId: conversationId,
    subtaskId: conversationId,
    conversationId,
    attempt: 1,
    fresh: true,
    reads: scopeOf(engine, { agent, allowed_paths: [] }).reads,
  });
  const refuse = () => Promise.reject(noBranch());
  return {
    commit,
    files: {
      list: (glob) => tree.list(glob),
      read: (path) => tree.read(path),
      search: (pattern, options, signal) => tree.search(pattern, options, signal),
      write: refuse,
      move: refuse,
      delete: refuse,
      apply: refuse,
      diff: refuse,
      commit: refuse,
    },
  };
}

/** What needs a branch, in a talk. */
export function noBranch(): OxbowError {
  return new OxbowError("tool_disabled", "In a conversation nothing is changed.", {
    hint: "Submit a task for changes.",
  });
}
