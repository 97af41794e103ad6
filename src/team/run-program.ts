/** An attempt by a program: a private clone of the branch, the program in it, its changes brought back and committed. */
import type { AgentSpec } from "../core/team-file.ts";
import type { BranchTree, TreeChange, Workspace } from "../git/contract.ts";
import type { CommandResult } from "../agent/command.ts";
import type { Attempt } from "./attempt.ts";
import type { Finding } from "./outcome.ts";
import { basename } from "node:path";
import { span } from "../host/telemetry.ts";
import { type ErrorValue, OxbowError, toErrorValue } from "../core/errors.ts";
import { runCommand } from "../agent/command.ts";
import { programSetting, withLinks } from "./confinement.ts";
import { commandOf, runOptions } from "./engine.ts";
import { commitFor, committedTip, firstLine, keepEdits } from "./leftovers.ts";
import { NOTHING_RAN, outcomeOf } from "./outcome.ts";
import { outOfScope, scopeOf } from "./scope.ts";
import { aboutLease } from "./about.ts";
import { watchSilence } from "./silence.ts";
import { openAttemptWorkspace } from "./workspaces.ts";

export async function runProgram(attempt: Attempt, agent: AgentSpec, tree: BranchTree): Promise<Finding> {
  const { engine, lease, signal } = attempt;
  const { subtask, task } = lease;
  const argv = commandOf(runOptions(task), agent);
  const paths = argv.some((word) => word.includes("{paths}")) ? await ownedFiles(attempt, tree) : null;
  const none = {
    ...NOTHING_RAN,
    branch: tree.branch,
    commit: committedTip(tree),
    error: null,
  };
  if (paths?.length === 0)
    return { ...none, outcome: "completed", summary: "No file in its paths; nothing was run." };

  const opened = await openAttemptWorkspace(attempt, tree, signal);
  await using workspace = opened.workspace;
  const own = programSetting(engine, agent, workspace, argv);
  const setting = withLinks(own, opened.links);
  using silence = watchSilence(agent, signal);
  const told = outputEvents(attempt);
  const ran = await span("oxbow.program", { "oxbow.program": basename(argv[0] ?? "") }, async (note) => {
    const ended = await runCommand(
      {
        argv,
        task: subtask.brief,
        branch: tree.branch,
        paths,
        cwd: workspace.dir,
        ...setting,
        sandbox: engine.sandbox,
        mark: workspace.name,
        timeoutMs: agent.timeoutMs ?? engine.team.defaults.timeoutMs,
        redactor: engine.redactor,
        onStart: (pid) => workspace.runs(pid),
        onOutput: (stream, text) => {
          silence.heard();
          told(stream, text);
        },
      },
      silence.signal,
    );
    note({ "error.type": ended.error?.code });
    return ended;
  });
  const result = silence.error ? { ...ran, error: toErrorValue(silence.error) } : ran;
  // Awaited here: the workspace is given back afterwards, and a failure meets whoever waits.
  return await settle(attempt, tree, result, await collect(workspace, tree));
}

/** What no branch can hold (an odd name, a link out) stays where a person can find it, and fails the child by name. */
async function collect(workspace: Workspace, tree: BranchTree): Promise<ErrorValue | null> {
  const { refused } = await workspace.collect(tree);
  if (refused.length === 0) return null;
  const shown = refused.slice(0, MOST_NAMED).map(({ path, reason }) => {
    const sentence = reason.includes(path) ? reason : `${path} ${reason}`;
    return sentence.replace(/\.$/, "");
  });
  const more = refused.length > shown.length ? `; and ${refused.length - shown.length} more` : "";
  const kept = await workspace.keep();
  return toErrorValue(
    new OxbowError("path_rejected", `${shown.join("; ")}${more}. All files are kept in ${kept}.`, {
      hint: "Have the program leave such files out, or take them from there by hand.",
    }),
  );
}

const MOST_NAMED = 20;

/** What is kept of a program's output as events: characters a piece, and pieces in all. */
const MOST_OUTPUT = { text: 4_000, events: 500 };

/** The beginning of the output as events; the end of it becomes the summary, or the error. */
function outputEvents({ sink, lease }: Attempt) {
  let events = 0;
  return (stream: "stdout" | "stderr", given: string) => {
    events += 1;
    if (events > MOST_OUTPUT.events) return;
    const last = events === MOST_OUTPUT.events ? "\n… (what follows is not recorded)" : "";
    const cut = given.length > MOST_OUTPUT.text ? `${given.slice(0, MOST_OUTPUT.text)}…` : given;
    sink.emit({ event: "command_output", ...aboutLease(lease), stream, text: cut + last });
  };
}

async function ownedFiles({ engine, lease }: Attempt, tree: BranchTree): Promise<string[]> {
  const scope = scopeOf(engine, lease.subtask);
  const entries = await tree.list();
  return entries
    .filter(({ mode, path }) => mode.startsWith("100") && scope.allows(path))
    .map(({ path }) => path);
}

/** In scope and successful: committed to the branch. Anything else is kept on the attempt's ref, and said. */
async function settle(
  attempt: Attempt,
  tree: BranchTree,
  result: CommandResult,
  refused: ErrorValue | null,
): Promise<Finding> {
  const { engine, lease } = attempt;
  const scope = scopeOf(engine, lease.subtask);
  const changed = await tree.pending();
  const outside = changed.map((change: TreeChange) => change.path).filter((path) => !scope.allows(path));
  const strayed = outside.length > 0 ? toErrorValue(outOfScope(engine, lease.subtask, outside)) : null;
  const error = joined([result.error ?? null, refused, strayed]);
  const base = { usage: result.usage, cost: result.cost, elapsed_ms: result.elapsed_ms, branch: tree.branch };
  if (error) {
    const kept = await keepEdits(attempt, tree);
    const message = kept ? `${error.message} Its changes are kept in commit ${kept}.` : error.message;
    return {
      ...base,
      outcome: outcomeOf(error),
      commit: committedTip(tree),
      summary: result.output,
      error: { ...error, message },
    };
  }
  const subject = firstLine(lease.subtask.brief) || "Work";
  const made = await commitFor(attempt, tree, subject);
  const count = made ? `Changed ${made.files} file${made.files === 1 ? "" : "s"}.` : "Changed nothing.";
  const summary = result.output.trim() ? `${count}\n${result.output.trim()}` : count;
  return {
    ...base,
    outcome: "completed",
    commit: committedTip(tree),
    summary,
    error: null,
  };
}

/** The first failure's code and hint, with what all of them say. */
function joined(errors: readonly (ErrorValue | null)[]): ErrorValue | null {
  const all = errors.filter((error) => error !== null);
  return all[0] ? { ...all[0], message: all.map((error) => error.message).join(" ") } : null;
}
