/**
 * One answer of an agent to a person: its instructions, what was said before, and the files of the base branch to read.
 * Whatever comes of it is an answer: a reply, or an error with its code.
 */
import type { HistoryItem } from "../agent/contract.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { Json, Message } from "../core/model.ts";
import type { ToolContext } from "../core/tool.ts";
import type { DialogueTurn } from "../store/dialogues.ts";
import type { Engine } from "./engine.ts";
import { AgentRunner } from "../agent/runner.ts";
import { type ErrorValue, OxbowError, toErrorValue } from "../core/errors.ts";
import { noBranch, readOnlyFiles } from "./dialogue-files.ts";
import { agentAtWork, modelOf, NO_OPTIONS, runtimeOf } from "./engine.ts";
import { cleanError } from "./outcome.ts";
import { createSignals } from "./signals.ts";

/** What is said to a model of what was said before, at most. */
const MOST_BEFORE = 200;
const MOST_BEFORE_CHARS = 200_000;
/** How often a message is begun to be answered by processes that die of it. */
const MOST_ATTEMPTS = 3;
const MOST_REPLY_CHARS = 100_000;

/** The tools of an agent that only talks, as far as their groups are on. */
const TOOLS = new Set(["list_files", "read_file", "search_files", "team_owner"]);

/** What becomes of a turn; null: it was stopped, and others go on with it. */
export interface DialogueAnswer {
  readonly type: "reply" | "error";
  readonly content: string;
  readonly metadata: { readonly [key: string]: Json };
}

export async function answerTurn(
  engine: Engine,
  turn: DialogueTurn,
  signal: AbortSignal,
): Promise<DialogueAnswer | null> {
  try {
    if (turn.attempt > MOST_ATTEMPTS)
      throw new OxbowError("worker_lost", `${MOST_ATTEMPTS} processes died while they answered it.`, {
        hint: "Ask again in other words.",
      });
    const agent = talkingAgent(engine, turn.agent);
    return await ask(engine, turn, agent, signal);
  } catch (error) {
    return signal.aborted ? null : failed(engine, toErrorValue(error));
  }
}

/** Throws agent_unknown, agent_unavailable (shut down), runtime_not_available (a program). */
export function talkingAgent(engine: Engine, name: string): AgentSpec {
  const agent = agentAtWork(engine, name);
  if (runtimeOf(NO_OPTIONS, agent) === "command")
    throw new OxbowError("runtime_not_available", `${name} runs a program, which reads no messages.`, {
      hint: "Submit a task for it instead.",
    });
  return agent;
}

async function ask(
  engine: Engine,
  turn: DialogueTurn,
  agent: AgentSpec,
  signal: AbortSignal,
): Promise<DialogueAnswer> {
  const { defaults } = engine.team;
  const before = await engine.store.people.dialogues.before(turn, MOST_BEFORE);
  const models = engine.models(NO_OPTIONS, agent);
  const model = modelOf(NO_OPTIONS, agent, engine);
  const { files, commit } = await readOnlyFiles(engine, agent.name, turn.conversation_id);
  const { settings } = engine;
  const flags = { ENABLE_FILE_TOOLS: settings.enableFileTools, ENABLE_TEAM_TOOLS: settings.enableTeamTools };
  const tools = engine.tools
    .select({
      flags,
      allow: settings.agentTools,
      requireExplicit: settings.agentRequireExplicitTools,
      agentTools: agent.tools,
    })
    .filter(({ name }) => TOOLS.has(name));
  const result = await new AgentRunner({ runtime: "openai_agents" }).run(
    {
      agent: agent.name,
      instructions: instructionsFor(engine, agent, commit, tools.length > 0),
      input: turn.message.content,
      history: {
        items: [...historyOf(before), { role: "user", content: turn.message.content }],
        pending: null,
        turns: 0,
        usage: { requests: 0, input_tokens: 0, output_tokens: 0, total_tokens: 0 },
        cost: null,
        settled: async () => null,
      },
      model,
      models,
      tools,
      context: contextFor(engine, turn, files, signal),
      maxTurns: agent.maxTurns ?? defaults.maxTurns,
      timeoutMs: agent.timeoutMs ?? defaults.timeoutMs,
      responseTimeoutMs: agent.responseTimeoutMs,
      // The same over all attempts: a provider that knows it counts once.
      idempotencyKey: `oxbow-${turn.message.id}`,
    },
    signal,
  );
  signal.throwIfAborted();
  const { usage, cost, elapsed_ms } = result;
  const spent = { usage: { ...usage }, cost, elapsed_ms, commit, simulated: models.simulated };
  if (result.error) return failed(engine, result.error, spent);
  const content = engine.redact(result.output).slice(0, MOST_REPLY_CHARS);
  return { type: "reply", content, metadata: spent };
}

function failed(
  { redact }: Engine,
  error: ErrorValue,
  metadata: { readonly [key: string]: Json } = {},
): DialogueAnswer {
  const value = cleanError(error, redact);
  return { type: "error", content: value.message, metadata: { ...metadata, error: { ...value } } };
}

function instructionsFor(engine: Engine, agent: AgentSpec, commit: string, mayRead: boolean): string {
  const parts = [
    `You are ${agent.name}, an agent of the team ${engine.team.team}. A person of the team talks with you.`,
  ];
  if (agent.responsibilities.length > 0)
    parts.push(`Your responsibilities: ${agent.responsibilities.join(", ")}.`);
  if (mayRead)
    parts.push(
      `With your tools you can read the repository as it is at commit ${commit.slice(0, 12)}. In a conversation you change nothing: for changes the person submits a task.`,
    );
  if (agent.instructions) parts.push(agent.instructions);
  return parts.join("\n\n");
}

/** Each message with its answer after it, in the order in which they were asked; the newest that fit. */
export function historyOf(before: readonly Message[]): readonly HistoryItem[] {
  const answers = new Map(before.map((each) => [each.metadata["in_reply_to"], each]));
  const items: HistoryItem[] = [];
  let left = MOST_BEFORE_CHARS;
  for (const asked of before.filter(({ type }) => type === "message").toReversed()) {
    const answer = answers.get(asked.id);
    left -= asked.content.length + (answer?.content.length ?? 0);
    if (left < 0) break;
    if (answer?.type === "reply")
      items.unshift({
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: answer.content }],
      });
    items.unshift({ role: "user", content: asked.content });
  }
  return items;
}

function contextFor(
  engine: Engine,
  turn: DialogueTurn,
  files: ToolContext["files"],
  signal: AbortSignal,
): ToolContext {
  const { registry, store, settings, redact } = engine;
  const refuse = () => Promise.reject(noBranch());
  return {
    agent: turn.agent,
    taskId: turn.conversation_id,
    conversationId: turn.conversation_id,
    files,
    signals: createSignals({ store, settings, redact }),
    chat: { send: refuse },
    todos: { create: refuse, get: refuse, list: refuse, update: refuse, delete: refuse },
    terminal: { run: refuse },
    split: refuse,
    barrier: refuse,
    requestScope: refuse,
    owner: (path) => {
      const owner = registry.findOwner(path);
      return { path, owner: owner && { ...owner, window_person: registry.windowPerson(owner.team) } };
    },
    signal,
  };
}
