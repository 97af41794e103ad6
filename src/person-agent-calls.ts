/** Agents that come and go, and talking with them (SPEC D10, D11). */
import { z } from "zod";
import type { Message } from "./core/model.ts";
import { AGENT_HEALTH } from "./agent-cards.ts";
import { json } from "./core/event-values.ts";
import { OxbowError } from "./core/errors.ts";
import { cut, personCall } from "./person-call.ts";
import { waitMs } from "./person-words.ts";

const name = z.string().min(1).max(200);
const words = z.array(name).max(200);
const patterns = z.array(z.string().max(4096)).max(5000);
const CONTENT = 20_000;
const LISTED = 500;
const MOST_WAIT_MS = 600_000;

const createAgent = personCall({
  name: "create_agent",
  description:
    "Add an agent to the team, for every process of this repository and after restarts; or bring one back that was shut down (of the team file: by its name alone).",
  parameters: z.strictObject({
    name: name.describe("Unique in the team; becomes the last part of its branches."),
    instructions: z.string().max(100_000).optional().describe("Added to what its model is told."),
    provider: name.optional().describe("openai, openai_chat, anthropic or claude-code. Default: the team's."),
    model: name.optional(),
    runtime: z.enum(["openai_agents", "command"]).optional().describe("A model (default), or a program."),
    command: z
      .array(z.string().min(1).max(8192))
      .min(1)
      .max(1024)
      .optional()
      .describe(
        "The program of runtime command and its arguments; {task}, {branch} and {paths} are filled in.",
      ),
    skills: words.optional().describe("Capability tags."),
    responsibilities: words.optional(),
    allowed_paths: patterns
      .optional()
      .describe("Patterns of the files it owns. Left out: it owns none, and may write any."),
    read_paths: patterns.optional().describe("Patterns of the files it may read. Default: all."),
    tools: words.optional().describe("The only tools it gets. Default: all that are on."),
    domain: name.optional(),
    sla_ms: z
      .int()
      .min(1)
      .max(2_147_483_647)
      .optional()
      .describe("How long an attempt may take, milliseconds."),
  }),
  result: z.object({
    name: z.string(),
    team: z.string(),
    runtime: z.string(),
    skills: z.array(z.string()).readonly(),
    allowed_paths: z.array(z.string()).readonly(),
  }),
  scope: "admin",
  readOnly: false,
  destructive: false,
  async run(app, input, { as }) {
    const made = await app.createAgent(input, as);
    const { team, runtime, skills, allowedPaths } = made;
    return { name: made.name, team, runtime, skills, allowed_paths: allowedPaths };
  },
});

const listAgents = personCall({
  name: "list_agents",
  description: "The agents of the team: what they can do, what they own, and what they do now.",
  parameters: z.strictObject({
    domain: name.optional(),
    capability: name.optional().describe("One of its skills."),
    health: z.enum(AGENT_HEALTH).optional(),
  }),
  result: z.object({
    agents: z
      .array(
        z.object({
          name: z.string(),
          team: z.string(),
          state: z.string().describe("idle, processing, restarting, failed or terminated."),
          health: z.string(),
          runtime: z.string(),
          skills: z.array(z.string()).readonly(),
          responsibilities: z.array(z.string()).readonly(),
          allowed_paths: z.array(z.string()).readonly(),
          domain: z.string().nullable(),
          group: z.string().nullable(),
          load: z.object({ working: z.int(), open: z.int() }),
          reason: z.string().nullable().describe("Why it is not started any more."),
        }),
      )
      .readonly(),
    total: z.int(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, filter) {
    const cards = await app.agentCards(filter);
    const agents = cards.slice(0, LISTED).map((card) => {
      const { team, state, health, runtime, skills, responsibilities, allowed_paths } = card;
      const { domain, group, load, reason } = card;
      const facts = { team, state, health, runtime, skills, responsibilities, domain, group, load, reason };
      return { name: card.name, ...facts, allowed_paths: allowed_paths.slice(0, LISTED) };
    });
    return { agents, total: cards.length };
  },
});

const shutdownAgent = personCall({
  name: "shutdown_agent",
  description:
    "The agent takes no more work, in any process, until create_agent names it again. What it has begun is handed back and waits for assign, or is cancelled.",
  parameters: z.strictObject({
    name,
    cancel: z
      .boolean()
      .optional()
      .describe("Cancel what it has begun, in place of handing it back. Default false."),
  }),
  result: z.object({
    agent: z.string(),
    changed: z.boolean(),
    handed_back: z.array(z.string()).readonly().describe("Conversations."),
    cancelled: z.array(z.string()).readonly().describe("Subtasks."),
  }),
  scope: "admin",
  readOnly: false,
  destructive: true,
  run: async (app, { name: agent, cancel = false }, { as }) => ({
    ...(await app.shutDownAgent(agent, { cancel, ...(as === undefined ? {} : { as }) })),
  }),
});

const message = z.object({
  id: z.string(),
  conversation_id: z.string(),
  sender: z.string(),
  recipients: z.array(z.string()).readonly(),
  content: z.string(),
  timestamp: z.string().describe("ISO 8601."),
  type: z.string().describe("message, reply, error, chat or task."),
  topology: z.string(),
  metadata: z.record(z.string(), json),
});

function show({ timestamp, content, metadata, ...rest }: Message): z.infer<typeof message> {
  const at = new Date(timestamp).toISOString();
  return { ...rest, timestamp: at, content: cut(content, CONTENT).text, metadata: { ...metadata } };
}

const sendMessage = personCall({
  name: "send_message",
  description:
    "Say something to an agent: to the agent itself, which begins a conversation; into that conversation; or into the conversation of a child at work, which reads it before its next turn. The agent reads the repository and changes nothing: for changes use run. With wait_ms the answer is waited for, else get_conversation has it later.",
  parameters: z.strictObject({
    agent: name.optional().describe("Begins a conversation with this agent."),
    conversation_id: name.optional().describe("Goes on with this conversation."),
    content: z.string().min(1).max(50_000),
    wait_ms: waitMs(MOST_WAIT_MS, "How long to wait for the answer"),
  }),
  result: z.object({
    conversation_id: z.string(),
    message_id: z.string(),
    agent: z.string(),
    kind: z.enum(["dialogue", "interjection"]),
    reply: message.nullable(),
  }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  async run(app, { agent, conversation_id, content, wait_ms: waiting }, { signal, progress, as }) {
    const to = agent === undefined ? conversation_id : agent;
    if (to === undefined || (agent !== undefined && conversation_id !== undefined))
      throw new OxbowError("tool_input", "Give either an agent or a conversation_id.");
    if (waiting !== undefined && waiting > 0) progress(`Waiting for the answer of ${to}`);
    const sent = await app.sendMessage(
      { to: agent === undefined ? { conversation_id: to } : { agent }, content, waitMs: waiting, as },
      signal,
    );
    return { ...sent, reply: sent.reply && show(sent.reply) };
  },
});

const getConversation = personCall({
  name: "get_conversation",
  description:
    "The messages of a conversation, the oldest first, a page at a time: with a person, or of a child.",
  parameters: z.strictObject({
    conversation_id: name,
    after: z.string().max(100).optional().describe("The `next` of the page before."),
    limit: z.int().min(1).max(200).optional().describe("Messages of a page. Default 50."),
  }),
  result: z.object({
    conversation_id: z.string(),
    agent: z.string().nullable(),
    task_id: z.string().nullable(),
    unanswered: z.int(),
    messages: z.array(message).readonly(),
    next: z.string().nullable(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { conversation_id: id, after, limit }) {
    const { conversation_id, dialogue, task_id, messages, next } = await app.conversation(id, {
      after,
      limit,
    });
    const about = {
      conversation_id,
      task_id,
      agent: dialogue?.agent ?? null,
      unanswered: dialogue?.unanswered ?? 0,
    };
    return { ...about, messages: messages.map(show), next };
  },
});

const listConversations = personCall({
  name: "list_conversations",
  description: "Conversations of people with agents, those that spoke last first.",
  parameters: z.strictObject({ agent: name.optional(), limit: z.int().min(1).max(100).optional() }),
  result: z.object({
    conversations: z
      .array(
        z.object({
          conversation_id: z.string(),
          agent: z.string(),
          messages: z.int(),
          unanswered: z.int(),
          updated_at: z.string(),
        }),
      )
      .readonly(),
  }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, filter) {
    const found = await app.conversations(filter);
    return {
      conversations: found.map(({ conversation_id, agent, messages, unanswered, updated_at }) => ({
        conversation_id,
        agent,
        messages,
        unanswered,
        updated_at: new Date(updated_at).toISOString(),
      })),
    };
  },
});

const deleteConversation = personCall({
  name: "delete_conversation",
  description: "Remove a conversation of a person with an agent, with all that was said.",
  parameters: z.strictObject({ conversation_id: name }),
  result: z.object({ deleted: z.boolean().describe("False: there is none.") }),
  scope: "submit",
  readOnly: false,
  destructive: true,
  run: async (app, { conversation_id }) => ({ deleted: await app.deleteConversation(conversation_id) }),
});

const setTopology = personCall({
  name: "set_topology",
  description:
    "Who hears whom in a conversation. There is one topology for now: broadcast, everybody hears everything.",
  parameters: z.strictObject({
    conversation_id: name.optional(),
    topology: z.enum(["broadcast", "filtered", "hierarchical", "custom"]),
  }),
  result: z.object({
    ok: z.boolean(),
    topology: z.literal("broadcast"),
    available: z.array(z.string()).readonly(),
    message: z.string(),
  }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  async run(_app, { topology }) {
    const ok = topology === "broadcast";
    const words = "There is one topology: broadcast. Conversations have it already.";
    return { ok, topology: "broadcast" as const, available: ["broadcast"], message: words };
  },
});

export const AGENT_CALLS = [
  createAgent,
  listAgents,
  shutdownAgent,
  sendMessage,
  getConversation,
  listConversations,
  deleteConversation,
  setTopology,
] as const;
