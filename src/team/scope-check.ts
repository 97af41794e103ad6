/** What a branch changes, and whether that lies in its agent's scope: the merge gate, and `oxbow scope check`. */
import type { Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import type { ScopeCheck } from "./scope-verdict.ts";
import { baseRef, branchName } from "../core/branch-name.ts";
import { OxbowError } from "../core/errors.ts";
import { ownScope } from "../core/split.ts";
import { agentNamed } from "./engine.ts";
import { openScope, type Scope, scopeOf } from "./scope.ts";

/** Where a subtask's branch started. */
export async function baseOf(
  { repo }: Pick<Engine, "repo">,
  subtask: Subtask,
  task: Pick<Task, "base_commit">,
): Promise<string> {
  return (await repo.readRef(baseRef(subtask.subtask_id))) ?? task.base_commit;
}

/** Where a subtask's branch is, when there is a commit on it. */
export async function committedOn(
  engine: Pick<Engine, "repo">,
  subtask: Subtask,
  task: Pick<Task, "base_commit">,
): Promise<string | null> {
  const tip = subtask.branch === null ? null : await engine.repo.readRef(`refs/heads/${subtask.branch}`);
  return tip === (await baseOf(engine, subtask, task)) ? null : tip;
}

export async function changesOutside(engine: Engine, scope: Scope, base: string, commit: string) {
  const changed = await engine.repo.changedPaths(base, commit);
  return { changed, outside: changed.filter(({ path }) => !scope.allows(path)) };
}

/** Throws rev_not_found, agent_unknown, usage (nothing says whose it is, or where it started). */
export async function checkScope(
  engine: Engine,
  branch: string,
  options: { agent?: string | undefined; base?: string | undefined },
): Promise<ScopeCheck> {
  const { repo } = engine;
  const short = branch.replace(/^refs\/heads\//, "");
  const commit = (await repo.readRef(`refs/heads/${short}`)) ?? (await repo.resolve(branch));
  const found = await subtaskOf(engine, short);
  const name = options.agent ?? found?.subtask.agent ?? agentIn(engine, short);
  if (name === null)
    throw new OxbowError("usage", `Nothing says whose branch ${short} is.`, {
      hint: "Name the agent with --agent.",
    });
  const agent = agentNamed(engine, name);
  // Another agent's scope is asked about: that of no subtask.
  const own = found?.subtask.agent === name ? found : null;
  const scope = own
    ? await openScope(engine, own.subtask)
    : scopeOf(engine, anySubtask(name, ownScope(agent)));
  const base = await startOf(engine, short, commit, options.base, own);
  const { changed, outside } = await changesOutside(engine, scope, base, commit);
  return {
    ok: outside.length === 0,
    branch: short,
    commit,
    agent: name,
    subtask_id: own?.subtask.subtask_id ?? null,
    base,
    allowed_paths: own?.subtask.allowed_paths ?? ownScope(agent),
    granted: scope.granted,
    changed,
    outside: outside.map((change) => ({
      ...change,
      owner: engine.registry.ownerIfAny(change.path)?.agent ?? null,
    })),
  };
}

/** The newest subtask that has worked on the branch. */
async function subtaskOf({ store }: Engine, branch: string) {
  for (const task of await store.tasks())
    for (const subtask of await store.subtasks(task.task_id))
      if (subtask.branch === branch) return { task, subtask };
  return null;
}

/** `feature/<ticket>/<agent>`, perhaps with a number at its end. */
function agentIn(engine: Engine, branch: string): string | null {
  const [first, , last, more] = branch.split("/");
  if (first !== "feature" || last === undefined || more !== undefined) return null;
  const names = engine.registry.list().map(({ name }) => name);
  const called = (wanted: string) =>
    names.find((name) => branchName({ agentName: name }).endsWith(`/${wanted}`));
  return called(last) ?? called(last.replace(/-\d+$/, "")) ?? null;
}

function anySubtask(agent: string, allowedPaths: readonly string[]) {
  return { agent, allowed_paths: allowedPaths };
}

/** What the merge gate goes by; else where the branch left `--base`, the team's base, or HEAD. */
async function startOf(
  engine: Engine,
  branch: string,
  commit: string,
  given: string | undefined,
  own: { readonly task: Task; readonly subtask: Subtask } | null,
): Promise<string> {
  const { repo, team } = engine;
  if (given === undefined && own) return baseOf(engine, own.subtask, own.task);
  const head = await repo.head();
  const isHead = head.ref === `refs/heads/${branch}` || head.commit === commit;
  if (given === undefined && team.repo.base === null && isHead)
    throw new OxbowError("usage", `HEAD is ${branch} itself, so nothing says where it started.`, {
      hint: "Name what it started from: --base main.",
    });
  const from = given ?? team.repo.base ?? "HEAD";
  const start = await repo.mergeBase(await repo.resolve(from), commit);
  if (start === null)
    throw new OxbowError("usage", `${branch} and ${from} have no commit in common.`, {
      hint: "Name what it started from with --base.",
    });
  return start;
}
