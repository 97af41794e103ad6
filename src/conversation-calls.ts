/** The app's methods for agents that come and go at run time, and for people who talk with them. */
import type { AgentWords } from "./core/new-agent.ts";
import type { Message } from "./core/model.ts";
import type { AgentSpec } from "./core/team-file.ts";
import type { Dialogue } from "./store/dialogues.ts";
import type { DialogueDesk } from "./team/dialogue-desk.ts";
import type { Said } from "./team/dialogue-messages.ts";
import type { ShutDown } from "./team/registered-agents.ts";
import type { Engine } from "./team/engine.ts";
import { OxbowError } from "./core/errors.ts";
import { firstOf } from "./person-wait.ts";

export type { AgentWords } from "./core/new-agent.ts";
export type { Dialogue } from "./store/dialogues.ts";
export type { ShutDown } from "./team/registered-agents.ts";

export interface SendMessage {
  /** An agent: begins a conversation. A conversation: goes on with it, or says something to a child at work. */
  readonly to: { readonly agent: string } | { readonly conversation_id: string };
  readonly content: string;
  /** How long to wait for the answer, milliseconds. Default 0. */
  readonly waitMs?: number | undefined;
  /** Who says it. Default: the repository's user. */
  readonly as?: string | undefined;
}

export interface SentMessage {
  readonly conversation_id: string;
  readonly message_id: string;
  readonly agent: string;
  /** The agent's answer; null: it has not come yet, or comes as work of the child that was told. */
  readonly reply: Message | null;
  /** `interjection`: it went into the conversation of a child, which reads it before its next turn. */
  readonly kind: "dialogue" | "interjection";
}

export interface ConversationPage {
  readonly conversation_id: string;
  /** Null: it is the conversation of a child. */
  readonly dialogue: Dialogue | null;
  readonly task_id: string | null;
  /** The oldest first. */
  readonly messages: readonly Message[];
  /** Where the next page begins; null: this is the last one. */
  readonly next: string | null;
}

export interface ConversationCalls {
  /**
   * Registers an agent for every process of this team, durably, or brings one back that was shut down (of the team file:
   * by its name alone). Throws team_config, runtime_not_available, provider_unknown, branch_name_rejected.
   */
  createAgent(words: AgentWords, as?: string): Promise<AgentSpec>;
  /**
   * The agent takes no more work anywhere. What it has begun is handed back and blocked, with an alert; with `cancel` it
   * is cancelled. Throws agent_unknown.
   */
  shutDownAgent(
    name: string,
    options?: { readonly cancel?: boolean; readonly as?: string },
  ): Promise<ShutDown>;
  /**
   * The message is durable first; a live worker answers it, or this process where there is none. An abort ends the wait.
   * Throws agent_unknown, agent_unavailable, runtime_not_available, recipient_unknown, recipient_finished,
   * limit_exceeded, tool_input, payload_too_large.
   */
  sendMessage(message: SendMessage, signal?: AbortSignal): Promise<SentMessage>;
  /** Throws recipient_unknown. */
  conversation(
    id: string,
    page?: { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<ConversationPage>;
  /** Of a person and an agent, with all that was said. False: there is none. Throws task_active while somebody answers. */
  deleteConversation(id: string): Promise<boolean>;
  /** With people, those that spoke last first. */
  conversations(filter?: {
    readonly agent?: string | undefined;
    /** Only those that come after this one in the list. */
    readonly before?: Pick<Dialogue, "updated_at" | "conversation_id"> | undefined;
    readonly limit?: number | undefined;
  }): Promise<readonly Dialogue[]>;
}

const PAGE = 50;
const MOST_PAGE = 200;
const LISTED = 100;
/** A page, and one more that says whether there is another. */
const MOST_LISTED = MOST_PAGE + 1;
/** How long others have for a message before this process answers it, milliseconds. */
const OTHERS_MS = 5_000;

export function createConversationCalls(
  engine: () => Promise<Engine>,
  failed: (error: unknown) => Promise<void>,
): ConversationCalls & { readonly close: () => Promise<void> } {
  let desk: Promise<DialogueDesk> | null = null;
  const answering = () =>
    (desk ??= import("./team/dialogue-desk.ts").then(({ createDialogueDesk }) =>
      createDialogueDesk((error) => void failed(error)),
    ));
  const who = ({ repo: { identity } }: Engine, as: string | undefined) =>
    as ?? `${identity.name} <${identity.email}>`;

  return {
    async createAgent(words, as) {
      const bound = await engine();
      const { createAgent } = await import("./team/registered-agents.ts");
      return createAgent(bound, words, who(bound, as));
    },

    async shutDownAgent(name, { cancel = false, as } = {}) {
      const bound = await engine();
      const { shutDownAgent } = await import("./team/registered-agents.ts");
      return shutDownAgent(bound, name, { cancel, by: who(bound, as) });
    },

    async sendMessage({ to, content, waitMs = 0, as }, signal = new AbortController().signal) {
      signal.throwIfAborted();
      const bound = await engine();
      const { beginDialogue, continueDialogue } = await import("./team/dialogue-messages.ts");
      const sender = who(bound, as);
      const said =
        "agent" in to
          ? await beginDialogue(bound, to.agent, content, sender)
          : await continueDialogue(bound, to.conversation_id, content, sender);
      const { message } = said;
      const about = {
        conversation_id: message.conversation_id,
        message_id: message.id,
        agent: message.recipients[0] ?? "",
      };
      if (said.event === null) return { ...about, reply: null, kind: "interjection" };
      const reply = await answered(bound, said, await answering(), waitMs, signal);
      return { ...about, reply, kind: "dialogue" };
    },

    async conversation(id, { after, limit = PAGE } = {}) {
      const { dialogues } = (await engine()).store.people;
      const [dialogue, task_id] = await Promise.all([dialogues.get(id), dialogues.taskOf(id)]);
      if (dialogue === null && task_id === null)
        throw new OxbowError(
          "recipient_unknown",
          `There is no conversation ${JSON.stringify(id.slice(0, 80))}.`,
          {
            hint: "Its id is in the answer to the message that began it, or in the status of its task.",
          },
        );
      const { messages, more } = await dialogues.page(id, after ?? null, Math.min(limit, MOST_PAGE));
      const next = more ? (messages.at(-1)?.position ?? null) : null;
      return {
        conversation_id: id,
        dialogue,
        task_id,
        messages: messages.map(({ message }) => message),
        next,
      };
    },

    async deleteConversation(id) {
      const { dialogueStream } = await import("./team/dialogue-messages.ts");
      return (await engine()).store.people.dialogues.remove(id, dialogueStream(id));
    },

    async conversations({ agent, before, limit = LISTED } = {}) {
      const { store, team } = await engine();
      return store.people.dialogues.list(team.team, { agent, before, limit: Math.min(limit, MOST_LISTED) });
    },

    close: async () => (await desk)?.close(),
  };
}

/** Sees to it that somebody answers, and waits for it as long as the caller does. */
async function answered(
  engine: Engine,
  { message, event }: Said,
  desk: DialogueDesk,
  waitMs: number,
  signal: AbortSignal,
): Promise<Message | null> {
  const { isServed } = await import("./team/registered-agents.ts");
  const agent = message.recipients[0] ?? "";
  const served = await isServed(engine, agent);
  if (!served) await desk.insist(engine, agent);
  if (waitMs === 0 || event === null) return null;
  const stop = new AbortController();
  const helping = setInterval(() => void desk.look(engine, [agent]).catch(() => undefined), OTHERS_MS);
  try {
    return await firstOf(replyTo(engine, message, event.id, stop.signal), waitMs, signal);
  } finally {
    clearInterval(helping);
    stop.abort();
  }
}

/** Null when it is aborted. */
async function replyTo(
  { store }: Engine,
  { id, conversation_id }: Message,
  after: string,
  signal: AbortSignal,
): Promise<Message | null> {
  const { dialogueStream } = await import("./team/dialogue-messages.ts");
  for await (const event of store.watch(dialogueStream(conversation_id), after, signal))
    if (event.event === "conversation_message" && event.in_reply_to === id)
      return store.people.dialogues.message(conversation_id, event.message_id);
  return null;
}
