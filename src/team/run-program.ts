/** An attempt by a program: a private clone of the branch, the program in it, its changes brought back and committed. */
import type { AgentSpec } from "../core/team-file.ts";
import type { BranchTree, TreeChange, Workspace } from "../git/contract.ts";
import type { CommandResult } from "../agent/command.ts";
import type { Attempt } from "./attempt.ts";
import type { Finding } from "./outcome.ts";
import { hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import { runCommand } from "../agent/command.ts";
import { runOptions } from "./engine.ts";
import { NOTHING_RAN, outcomeOf } from "./outcome.ts";
import { firstLine } from "./run-model.ts";
import { outOfScope, scopeOf } from "./scope.ts";
import { aboutLease } from "./tool-context.ts";

export async function runProgram(attempt: Attempt, agent: AgentSpec, tree: BranchTree): Promise<Finding> {
  const { engine, lease, sink, signal } = attempt;
  const { subtask, task } = lease;
  const argv = runOptions(task).command ?? agent.command;
  if (!argv || argv.length === 0)
    throw new OxbowError("command_invalid", `The agent ${agent.name} runs a command, but none is given.`, {
      hint: `Give --command '…', or \`command: [...]\` for ${agent.name} in the team file.`,
    });
  const paths = argv.some((word) => word.includes("{paths}")) ? await ownedFiles(attempt, tree) : null;
  const none = {
    ...NOTHING_RAN,
    branch: tree.branch,
    commit: tree.tip === tree.base ? null : tree.tip,
    error: null,
  };
  if (paths?.length === 0)
    return { ...none, outcome: "completed", summary: "No file in its paths; nothing was run." };

  await using workspace = await engine.repo.workspace({ commit: tree.tip, branch: tree.branch }, signal);
  const result = await runCommand(
    {
      argv,
      task: subtask.brief,
      branch: tree.branch,
      paths,
      cwd: workspace.dir,
      env: programEnvironment(engine.environment, agent),
      home: agent.sandbox.home === "user" ? null : `${workspace.dir}.home`,
      timeoutMs: agent.timeoutMs ?? engine.team.defaults.timeoutMs,
      redact: (text) => engine.redact(text),
      onStart: (pid) => workspace.runs(pid),
      onOutput: (stream, text) => sink.emit({ event: "command_output", ...aboutLease(lease), stream, text }),
    },
    signal,
  );
  await collect(workspace, tree);
  return settle(attempt, tree, result);
}

/** What cannot be brought back (a name that no branch can hold, say) stays where a person can find it. */
async function collect(workspace: Workspace, tree: BranchTree): Promise<void> {
  try {
    await workspace.collect(tree);
  } catch (error) {
    if (!hasCode(error)) throw error;
    const message = `${error.message} The program's files are kept in ${await workspace.keep()}.`;
    throw new OxbowError(error.code, message, { hint: error.hint, details: error.details, cause: error });
  }
}

async function ownedFiles({ engine, lease }: Attempt, tree: BranchTree): Promise<string[]> {
  const scope = scopeOf(engine, lease.subtask);
  const entries = await tree.list();
  return entries
    .filter(({ mode, path }) => mode.startsWith("100") && scope.allows(path))
    .map(({ path }) => path);
}

/** In scope and successful: committed to the branch. Anything else is kept on the attempt's ref, and said. */
async function settle(attempt: Attempt, tree: BranchTree, result: CommandResult): Promise<Finding> {
  const { engine, lease } = attempt;
  const scope = scopeOf(engine, lease.subtask);
  const changed = await tree.pending();
  const outside = changed.map((change: TreeChange) => change.path).filter((path) => !scope.allows(path));
  const error =
    result.error ?? (outside.length > 0 ? toErrorValue(outOfScope(engine, lease.subtask, outside)) : null);
  const base = { usage: result.usage, cost: result.cost, elapsed_ms: result.elapsed_ms, branch: tree.branch };
  if (error) {
    const kept = await keep(attempt, tree);
    const message = kept ? `${error.message} Its changes are kept at ${kept}.` : error.message;
    const commit = tree.tip === tree.base ? null : tree.tip;
    return {
      ...base,
      outcome: outcomeOf(error),
      commit,
      summary: result.output,
      error: { ...error, message },
    };
  }
  const subject = firstLine(lease.subtask.brief) || "Work";
  const made = await tree.commit(subject, AbortSignal.timeout(60_000));
  if (made)
    attempt.sink.emit({
      event: "commit",
      ...aboutLease(lease),
      branch: made.branch,
      commit: made.commit,
      message: subject,
      files: made.files,
    });
  const count = made ? `Changed ${made.files} file${made.files === 1 ? "" : "s"}.` : "Changed nothing.";
  const summary = result.output.trim() ? `${count}\n${result.output.trim()}` : count;
  return {
    ...base,
    outcome: "completed",
    commit: tree.tip === tree.base ? null : tree.tip,
    summary,
    error: null,
  };
}

async function keep({ sink, lease }: Attempt, tree: BranchTree): Promise<string | null> {
  const saved = await tree.saveWork();
  if (!saved) return null;
  sink.emit({ event: "work_saved", ...aboutLease(lease), commit: saved.commit, files: saved.files });
  return saved.commit;
}

/** Only what a program needs to start, and what the agent's `sandbox.env` names. */
function programEnvironment(own: Readonly<Record<string, string>>, agent: AgentSpec): Record<string, string> {
  const passed = ["PATH", "LANG", "LC_ALL", "TZ", "SystemRoot", "ComSpec", "PATHEXT"];
  if (agent.sandbox.home === "user") passed.push("HOME", "USERPROFILE");
  const env: Record<string, string> = {};
  for (const name of [...passed, ...agent.sandbox.env]) if (own[name] !== undefined) env[name] = own[name];
  return env;
}
