/** Opens repositories and branches the way a run does, closed when the test has ended. */
import { onTestFinished } from "vitest";
import type { BranchOptions, BranchTree, Repository } from "../../src/git/contract.ts";
import { openRepository } from "../../src/git/repository.ts";

export const NO_ABORT = new AbortController().signal;

export async function openRepo(path: string, stateDir?: string): Promise<Repository> {
  const repo = await openRepository({ path, stateDir });
  onTestFinished(() => repo[Symbol.asyncDispose]());
  return repo;
}

/** A new branch `feature/<ticket>/<agent>` from HEAD (or `base`), open for the agent's first attempt. */
export async function openTree(
  repo: Repository,
  agent: string,
  options: Partial<BranchOptions> & { ticket?: string } = {},
): Promise<BranchTree> {
  const { ticket = "7", ...rest } = options;
  const base = rest.base ?? (await repo.resolve("HEAD"));
  const branch =
    rest.branch ?? (await repo.createFreeBranch({ agentName: agent, ticket, commit: base })).name;
  const subtaskId = rest.subtaskId ?? `${agent}::t-${ticket}::1`;
  return repo.openBranch({
    agent,
    taskId: `t-${ticket}`,
    conversationId: "c-1",
    attempt: 1,
    ...rest,
    branch,
    base,
    subtaskId,
  });
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

export async function readText(tree: BranchTree, path: string): Promise<string> {
  return Buffer.from(await tree.read(path)).toString("utf8");
}
