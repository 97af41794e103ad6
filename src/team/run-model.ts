/** An attempt by a model through the SDK: every turn's edits are saved before the next turn begins. */
import { failPoint } from "../host/fail-point.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { BranchTree } from "../git/contract.ts";
import type { HistoryItem, RunnerEvent } from "../agent/contract.ts";
import type { Attempt } from "./attempt.ts";
import type { Finding } from "./outcome.ts";
import type { SubtaskScope } from "./scope.ts";
import { addUsage } from "../core/model.ts";
import { traceIdOf } from "../core/trace-id.ts";
import { goesOnElsewhere } from "../core/stop.ts";
import { AgentRunner } from "../agent/runner.ts";
import { createInbox } from "./chat.ts";
import { handedOutBy, inputFor, instructionsFor, outcomesBefore } from "./brief.ts";
import { modelOf, runOptions } from "./engine.ts";
import { commitFor, committedTip, firstLine, keepEdits } from "./leftovers.ts";
import { outcomeOf } from "./outcome.ts";
import { isRework } from "./rework.ts";
import { mcpToolsFor, toolsFor } from "./tool-choice.ts";
import { aboutLease } from "./about.ts";
import { createToolContext } from "./tool-context.ts";
import { begun, recorder, settling } from "./transcript.ts";

export async function runModel(
  attempt: Attempt,
  agent: AgentSpec,
  tree: BranchTree,
  scope: SubtaskScope,
): Promise<Finding> {
  const { engine, lease, slots, sink, signal, budget } = attempt;
  const { subtask, task } = lease;
  const options = runOptions(task);
  const about = aboutLease(lease);
  const again = lease.attempt > 1;
  const restored = again && agent.recovery === "resume" ? await restore(attempt, tree) : 0;
  // A rework is told itself what is on its branch, and why.
  const told = isRework(lease.message) ? { ...subtask, supersedes: null } : subtask;
  const done = await outcomesBefore(engine, subtask);
  const handedOut = again || subtask.supersedes !== null ? await handedOutBy(engine, task, subtask) : [];
  const defaults = engine.team.defaults;
  const timeoutMs = agent.timeoutMs ?? defaults.timeoutMs;
  const { emit } = sink;
  const made = createToolContext({ engine, lease, tree, scope, slots, timeoutMs, emit, signal, budget });
  const { context, signals, requests, barriers } = made;
  await using _terminal = made.terminal;
  const tools = [...toolsFor(engine, agent, subtask, options), ...(await mcpToolsFor(engine, agent, signal))];

  const before = await begun(attempt, agent.recovery);
  const inbox = createInbox(engine, lease, sink.emit, before?.inbox ?? null);
  const record = recorder(attempt, { tree, inbox, signals });

  let wip: string | null = null;
  async function save(_turn: number, items: readonly HistoryItem[]): Promise<void> {
    wip = tree.edited ? ((await keepEdits(attempt, tree)) ?? wip) : null;
    await sink.flush();
    // Whoever goes on with the conversation elsewhere has to find the edits that it speaks of.
    await tree.published(signal);
    failPoint("turn.before");
    if (items.length > 0) await record.turn(items, wip ?? tree.tip);
    else await signals.saveCursors();
    failPoint("turn.saved");
  }

  const mayWrite = { ...subtask, allowed_paths: [...subtask.allowed_paths, ...scope.granted] };
  const result = await new AgentRunner({ runtime: "openai_agents" }).run(
    {
      agent: agent.name,
      instructions: instructionsFor(engine, agent, mayWrite, new Set(tools.map((tool) => tool.name))),
      input: before?.opening || inputFor(engine, task, told, lease.attempt, restored, handedOut, done),
      history: before === null ? undefined : { ...before.history, settled: settling(attempt, tree, before) },
      model: modelOf(options, agent, engine),
      models: engine.models(options, agent),
      tools,
      context,
      maxTurns: agent.maxTurns ?? defaults.maxTurns,
      timeoutMs,
      inbox,
      responseTimeoutMs: agent.responseTimeoutMs,
      traceId: traceIdOf(task.task_id),
      onAnswer: record.answer,
      onTurn: save,
      onEvent: (event) => {
        const body = toEvent(event, (text) => engine.redact(text));
        if (body) sink.emit({ ...about, ...body });
      },
    },
    signal,
  );
  // Who goes on with it begins where its last whole turn had come to.
  if (!goesOnElsewhere(signal)) {
    await signals.saveCursors();
    await inbox.end();
  }
  await commitLeftovers(attempt, tree, result.output, result.error !== undefined);
  return {
    outcome: outcomeOf(result.error),
    branch: tree.branch,
    commit: committedTip(tree),
    summary: result.output,
    ...[requests.spent(), ...barriers.spent()].reduce(inAll, result),
    error: result.error ?? null,
    elapsed_ms: result.elapsed_ms,
  };
}

/** The run, and what asking others in its course has cost. */
function inAll(run: Pick<Finding, "usage" | "cost">, asked: Pick<Finding, "usage" | "cost">) {
  if (asked.usage.requests === 0) return { usage: run.usage, cost: run.cost };
  const cost = run.cost === null || asked.cost === null ? null : run.cost + asked.cost;
  return { usage: addUsage(run.usage, asked.usage), cost };
}

async function restore(attempt: Attempt, tree: BranchTree): Promise<number> {
  const { engine, lease } = attempt;
  const last = await engine.repo.lastAttempt(lease.subtask.subtask_id, lease.attempt);
  const since = lease.message.metadata["since_attempt"];
  // What another agent had not committed is none of this one's.
  if (!last || (typeof since === "number" && last.attempt <= since)) return 0;
  return (await tree.restoreWork(last.commit)).files;
}

/** An agent that edits and forgets to commit loses nothing, however its run ended. */
async function commitLeftovers(
  attempt: Attempt,
  tree: BranchTree,
  output: string,
  broken: boolean,
): Promise<void> {
  if (!tree.edited) return;
  const { lease } = attempt;
  const subject = broken
    ? "Keep unfinished work"
    : firstLine(output) || firstLine(lease.subtask.brief) || "Work";
  await commitFor(attempt, tree, subject);
}

function toEvent(event: RunnerEvent, redact: (text: string) => string) {
  switch (event.kind) {
    case "text_delta":
      return null;
    case "text":
      return { event: "text" as const, text: redact(event.text) };
    case "tool_called":
      return {
        event: "tool_called" as const,
        tool: event.tool,
        call_id: event.call_id,
        arguments: cut(redact(event.arguments)),
      };
    case "tool_result": {
      const { tool, call_id, ok, elapsed_ms, code } = event;
      return {
        event: "tool_result" as const,
        tool,
        call_id,
        ok,
        elapsed_ms,
        ...(code === undefined ? {} : { code }),
      };
    }
    case "turn":
      return { event: "turn" as const, turn: event.turn, usage: event.usage };
    case "retry": {
      const { attempt, delay_ms } = event;
      return { event: "retry" as const, reason: redact(event.reason), attempt, delay_ms };
    }
    case "breaker": {
      const { provider, state, reason } = event;
      return { event: "breaker" as const, provider, state, reason: reason === null ? null : redact(reason) };
    }
  }
}

const SHOWN_ARGUMENTS = 4_000;

function cut(text: string): string {
  return text.length <= SHOWN_ARGUMENTS ? text : `${text.slice(0, SHOWN_ARGUMENTS)}…`;
}
