/**
 * Conversations of a person with one agent, outside of any task. Messages are answered one at a time, in their order, by
 * whoever holds the lease on the conversation's row; its token fences who was thought dead. Each message of the person
 * gets one answer, a reply or an error.
 */
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { Message } from "../core/model.ts";
import type { AgentStore } from "./agents.ts";

export interface Dialogue {
  readonly conversation_id: string;
  readonly team: string;
  readonly agent: string;
  readonly topology: string;
  readonly messages: number;
  /** Messages that wait for their answer. */
  readonly unanswered: number;
  /** The process that answers now. */
  readonly worker: string | null;
  /** Unix milliseconds. */
  readonly created_at: number;
  readonly updated_at: number;
}

/** What the agent is to answer, and what was said before. */
export interface DialogueTurn {
  readonly conversation_id: string;
  readonly agent: string;
  readonly worker_id: string;
  readonly token: number;
  /** From 1: how often somebody began to answer this message. */
  readonly attempt: number;
  readonly seq: number;
  readonly message: Message;
}

export interface MessagePage {
  readonly messages: readonly { readonly position: string; readonly message: Message }[];
  /** There are more after the last of them. */
  readonly more: boolean;
}

/** What people set up, and say, outside of tasks. */
export interface PeopleStore {
  readonly agents: AgentStore;
  readonly dialogues: DialogueStore;
}

export interface DialogueFilter {
  readonly agent?: string | undefined;
  /** Only those that come after this one in the order of the list. */
  readonly before?: Pick<Dialogue, "updated_at" | "conversation_id"> | undefined;
  readonly limit: number;
}

export interface DialogueStore {
  /** A conversation that has a message first. */
  open(
    dialogue: Pick<Dialogue, "conversation_id" | "team" | "agent" | "topology">,
    message: Message,
    event: EventBody,
  ): Promise<OxbowEvent>;
  /** Throws recipient_unknown, limit_exceeded. */
  post(message: Message, event: EventBody): Promise<OxbowEvent>;
  get(conversationId: string): Promise<Dialogue | null>;
  /**
   * With all that was said, and the events of its stream. False: there is none. Throws task_active while somebody answers.
   */
  remove(conversationId: string, stream: string): Promise<boolean>;
  /** Those that spoke last first. */
  list(team: string, filter: DialogueFilter): Promise<readonly Dialogue[]>;
  /** Takes the oldest message of the team's agents that waits and that nobody answers; null: there is none. */
  claim(options: {
    readonly team: string;
    readonly agents: readonly string[];
    readonly workerId: string;
    readonly leaseMs: number;
  }): Promise<DialogueTurn | null>;
  /** False when the turn is no longer ours. */
  renew(turn: DialogueTurn, leaseMs: number): Promise<boolean>;
  /** Gives it back: another may answer at once. */
  release(turn: DialogueTurn): Promise<void>;
  /** The answer, once; false, and nothing is written, when the turn is no longer ours. */
  answer(turn: DialogueTurn, message: Message, event: EventBody): Promise<boolean>;
  /** Ends the leases of a worker known to be dead. */
  free(workerId: string): Promise<void>;
  /** What waits for an answer in the team, at most 1,000: whose it is to give, and who is about to. */
  waiting(team: string): Promise<readonly { readonly agent: string; readonly worker: string | null }[]>;
  message(conversationId: string, id: string): Promise<Message | null>;
  /** Messages of any conversation after a position (null: from the first), the oldest first. */
  page(conversationId: string, after: string | null, limit: number): Promise<MessagePage>;
  /** The last `limit` messages before a turn's, and the answers to them, the oldest first. */
  before(turn: DialogueTurn, limit: number): Promise<readonly Message[]>;
  /** The task of a conversation that is a child's; null: it is no conversation of a task. */
  taskOf(conversationId: string): Promise<string | null>;
}
