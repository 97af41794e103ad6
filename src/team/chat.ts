/** What agents of a task write to each other, and what of it a model gets to read. */
import type { Chat, ChatReceipt } from "../core/tool.ts";
import type { EventBody } from "../core/events.ts";
import type { Inbox } from "../agent/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Message } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { aboutLease } from "./about.ts";
import { agentNamed, runOptions, runtimeOf } from "./engine.ts";

/** Of one message. */
const MAX_CONTENT_BYTES = 16_384;
/** Of messages that a model gets before one turn; the others come before the next. */
const MAX_READ_BYTES = 65_536;
const READ_AT_ONCE = 20;
const SHOWN_ADDRESSEES = 20;

interface Addressee {
  readonly conversation_id: string;
  readonly agent: string;
  readonly listening: boolean;
}

export function createChat(engine: Engine, lease: Lease): Chat {
  const { store } = engine;
  const self = lease.subtask;
  return {
    async send(recipient, content): Promise<ChatReceipt> {
      checkContent(content);
      const others = (await store.chat.addressees(self.task_id)).filter(
        ({ conversation_id }) => conversation_id !== self.conversation_id,
      );
      const meant = addressed(engine, lease, others, recipient);
      const posts = meant.map((to) => post(engine, lease, to, engine.redact(content)));
      const reached = new Set(await store.chat.send(posts));
      if (reached.size === 0) throw finished(recipient, others);
      const sent = posts.filter(({ message }) => reached.has(message.conversation_id));
      return {
        ok: true,
        sent: sent.map(({ message: { id, conversation_id, recipients } }) => ({
          message_id: id,
          conversation_id,
          agent: recipients[0] ?? recipient,
        })),
      };
    },
  };
}

export function checkContent(content: string): void {
  if (content.trim() === "") throw new OxbowError("tool_input", "The message is empty.");
  const bytes = Buffer.byteLength(content);
  if (bytes <= MAX_CONTENT_BYTES) return;
  throw new OxbowError(
    "payload_too_large",
    `The message has ${bytes} bytes; at most ${MAX_CONTENT_BYTES} are allowed.`,
    { hint: "Write the long part to a file of your branch and say where it is." },
  );
}

/** The conversation of that id, else all of the agent's that listen. Throws recipient_unknown, recipient_finished. */
function addressed(
  engine: Engine,
  lease: Lease,
  others: readonly Addressee[],
  recipient: string,
): readonly Addressee[] {
  if (recipient === lease.subtask.conversation_id)
    throw new OxbowError("recipient_unknown", "That is your own conversation.");
  const one = others.filter(({ conversation_id }) => conversation_id === recipient);
  const named = one.length > 0 ? one : others.filter(({ agent }) => agent === recipient);
  if (named.length === 0) {
    throw new OxbowError(
      "recipient_unknown",
      `There is no other agent or conversation ${JSON.stringify(recipient.slice(0, 80))} in this task. ${whoListens(others)}`,
    );
  }
  const listening = named.filter((to) => to.listening);
  if (listening.length === 0) throw finished(recipient, others);
  const agent = listening[0]?.agent ?? "";
  if (runtimeOf(runOptions(lease.task), agentNamed(engine, agent)) === "command")
    throw new OxbowError("recipient_unknown", `${agent} runs a program, which reads no messages.`);
  return listening;
}

function finished(recipient: string, others: readonly Addressee[]): OxbowError {
  const left = others.filter(
    ({ agent, conversation_id }) => agent !== recipient && conversation_id !== recipient,
  );
  return new OxbowError(
    "recipient_finished",
    `${recipient} has ended its work in this task and reads no more messages. ${whoListens(left)}`,
  );
}

function whoListens(others: readonly Addressee[]): string {
  const listening = others.filter((to) => to.listening);
  if (listening.length === 0) return "Nobody else is at work.";
  const shown = listening
    .slice(0, SHOWN_ADDRESSEES)
    .map(({ agent, conversation_id }) => `${agent} (${conversation_id})`);
  const more = listening.length > SHOWN_ADDRESSEES ? ` and ${listening.length - SHOWN_ADDRESSEES} more` : "";
  return `You can write to ${shown.join(", ")}${more}.`;
}

function post(
  engine: Engine,
  lease: Lease,
  to: Addressee,
  content: string,
): { message: Message; event: EventBody } {
  const id = engine.newId("m");
  const message: Message = {
    id,
    conversation_id: to.conversation_id,
    sender: lease.subtask.agent,
    recipients: [to.agent],
    content,
    timestamp: engine.now(),
    type: "chat",
    topology: "direct",
    metadata: { from_conversation: lease.subtask.conversation_id },
  };
  const event: EventBody = {
    event: "message_sent",
    ...aboutLease(lease),
    message_id: id,
    recipient: to.agent,
    to: to.conversation_id,
    content,
  };
  return { message, event };
}

export interface SavedInbox extends Inbox {
  /** How far it has read; null: nothing. */
  position(): string | null;
  /** The run is over, perhaps without a last answer: nothing can come any more, and what nobody has read is told. */
  end(): Promise<void>;
}

/**
 * The messages of one attempt, each given out once. One that goes on with a conversation begins where that had come to; a
 * model that begins anew gets them all again.
 */
export function createInbox(
  engine: Engine,
  lease: Lease,
  emit: (event: EventBody) => void,
  start: string | null,
): SavedInbox {
  const { chat } = engine.store;
  const about = aboutLease(lease);
  let position = start;
  let closed = false;

  const take = async (): Promise<readonly string[]> => {
    const texts: string[] = [];
    let bytes = 0;
    for (const { position: at, message } of await chat.read(lease.conversation_id, position, READ_AT_ONCE)) {
      bytes += Buffer.byteLength(message.content);
      if (texts.length > 0 && bytes > MAX_READ_BYTES) break;
      position = at;
      texts.push(shown(message));
      emit({ event: "message_received", ...about, message_id: message.id, sender: message.sender });
    }
    return texts;
  };

  return {
    take,
    position: () => position,
    async takeOrClose() {
      for (;;) {
        const texts = await take();
        if (texts.length > 0) return texts;
        closed = (await chat.stopListening(lease, position, { anyway: false })).stopped;
        if (closed) return [];
      }
    },
    async end() {
      if (closed) return;
      closed = true;
      const { unread } = await chat.stopListening(lease, position, { anyway: true });
      if (unread === 0) return;
      const messages = unread === 1 ? "1 message" : `${unread} messages`;
      const message = `${lease.subtask.agent} ended without having read ${messages} to it.`;
      emit({ event: "notice", ...about, code: "message_unread", message });
    },
  };
}

function shown({ sender, content, metadata }: Message): string {
  const from = metadata["from_conversation"];
  const conversation = typeof from === "string" ? ` (conversation ${from})` : "";
  return `Message from ${sender}${conversation}:\n\n${content}`;
}
