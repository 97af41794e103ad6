/** What a person says to an agent, or into a child's conversation that runs: durable before anybody answers. */
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { Message } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { checkContent } from "./chat.ts";
import { talkingAgent } from "./dialogue.ts";
import { agentNamed, runOptions, runtimeOf } from "./engine.ts";

export interface Said {
  readonly message: Message;
  /** Where it is told; null: it went into a child's conversation, which does not answer here. */
  readonly event: OxbowEvent | null;
}

/** To an agent: the beginning of a new conversation. Throws as `talkingAgent`, tool_input, payload_too_large. */
export async function beginDialogue(
  engine: Engine,
  agent: string,
  content: string,
  sender: string,
): Promise<Said> {
  checkContent(content);
  talkingAgent(engine, agent);
  const conversation_id = engine.newId("c");
  const message = said(engine, conversation_id, agent, content, sender);
  const { team } = engine.team;
  const event = await engine.store.people.dialogues.open(
    { conversation_id, team, agent, topology: message.topology },
    message,
    messageEvent(message),
  );
  return { message, event };
}

/**
 * Into a conversation: of a person and an agent, or of a child that is at work. Throws recipient_unknown,
 * recipient_finished, limit_exceeded, tool_input, payload_too_large, and as `talkingAgent`.
 */
export async function continueDialogue(
  engine: Engine,
  conversationId: string,
  content: string,
  sender: string,
): Promise<Said> {
  checkContent(content);
  const { dialogues } = engine.store.people;
  const dialogue = await dialogues.get(conversationId);
  if (dialogue === null) return interject(engine, conversationId, content, sender);
  talkingAgent(engine, dialogue.agent);
  const message = said(engine, conversationId, dialogue.agent, content, sender);
  return { message, event: await dialogues.post(message, messageEvent(message)) };
}

/** A child reads it before its next turn. */
async function interject(
  engine: Engine,
  conversationId: string,
  content: string,
  sender: string,
): Promise<Said> {
  const { store } = engine;
  const taskId = await store.people.dialogues.taskOf(conversationId);
  const task = taskId === null ? null : await store.task(taskId);
  const all = task === null ? [] : await store.chat.addressees(task.task_id);
  const to = all.find(({ conversation_id }) => conversation_id === conversationId);
  if (task === null || to === undefined)
    throw new OxbowError(
      "recipient_unknown",
      `There is no conversation ${JSON.stringify(conversationId.slice(0, 80))}.`,
      { hint: "Write to an agent to begin one." },
    );
  if (runtimeOf(runOptions(task), agentNamed(engine, to.agent)) === "command")
    throw new OxbowError("runtime_not_available", `${to.agent} runs a program, which reads no messages.`);
  const message: Message = {
    ...said(engine, conversationId, to.agent, content, sender),
    type: "chat",
    topology: "direct",
  };
  const subtask = (await store.subtasks(task.task_id)).find(
    (each) => each.conversation_id === conversationId,
  );
  const event: EventBody = {
    event: "message_sent",
    task_id: task.task_id,
    ...(subtask === undefined ? {} : { subtask_id: subtask.subtask_id }),
    conversation_id: conversationId,
    source: sender,
    message_id: message.id,
    recipient: to.agent,
    to: conversationId,
    content: message.content,
  };
  const reached = to.listening ? await store.chat.send([{ message, event }]) : [];
  if (reached.length === 0)
    throw new OxbowError(
      "recipient_finished",
      `${to.agent} has ended its work there and reads no more messages.`,
      {
        hint: "Write to the agent itself to talk about it.",
      },
    );
  return { message, event: null };
}

function said(
  engine: Engine,
  conversation_id: string,
  agent: string,
  content: string,
  sender: string,
): Message {
  return {
    id: engine.newId("m"),
    conversation_id,
    sender,
    recipients: [agent],
    content: engine.redact(content),
    timestamp: engine.now(),
    type: "message",
    topology: "broadcast",
    metadata: {},
  };
}

export function dialogueStream(conversationId: string): string {
  return `conversation.${conversationId}`;
}

export function messageEvent({
  id,
  conversation_id,
  sender,
  recipients,
  content,
  type,
  metadata,
}: Message): EventBody {
  const asked = metadata["in_reply_to"];
  return {
    event: "conversation_message",
    task_id: dialogueStream(conversation_id),
    conversation_id,
    source: sender,
    message_id: id,
    sender,
    recipients,
    type: type === "reply" || type === "error" ? type : "message",
    content,
    in_reply_to: typeof asked === "string" ? asked : null,
  };
}
