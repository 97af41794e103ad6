/** Conversations of people with agents, in rows. */
import { OxbowError } from "../core/errors.ts";
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { Message } from "../core/model.ts";
import type { DialogueRow } from "./dialogue-row.ts";
import type { Dialogue, DialogueStore, DialogueTurn } from "./dialogues.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { fromMessageId, messageId, messageRow, toMessage } from "./rows.ts";

/** Messages of one conversation, and of those the ones that wait for their answer. */
export const MAX_DIALOGUE_MESSAGES = 5_000;
export const MAX_UNANSWERED = 50;

export function createDialogueStore({ db, write, now }: Database): DialogueStore {
  return {
    open: ({ conversation_id, team, agent, topology }, message, event) =>
      write(async (tx) => {
        const at = { created_at: tx.now };
        await tx.db
          .insertInto("conversations")
          .values({ conversation_id, task_id: null, parent_id: null, agent, ...at })
          .execute();
        await tx.db
          .insertInto("dialogues")
          .values({ conversation_id, team, agent, topology, ...FRESH, ...at, updated_at: tx.now })
          .execute();
        return insert(tx, message, event);
      }),

    post: (message, event) =>
      write(async (tx) => {
        const row = await tx.db
          .selectFrom("dialogues")
          .select(["messages", "unanswered"])
          .where("conversation_id", "=", message.conversation_id)
          .executeTakeFirst();
        if (!row) throw unknown(message.conversation_id);
        refuseFull(message.conversation_id, row);
        return insert(tx, message, event);
      }),

    async get(conversationId) {
      const row = await db
        .selectFrom("dialogues")
        .selectAll()
        .where("conversation_id", "=", conversationId)
        .executeTakeFirst();
      return row ? toDialogue(row) : null;
    },

    remove: (conversationId, stream) => write((tx) => remove(tx, conversationId, stream)),

    async list(team, { agent, before, limit }) {
      let query = db.selectFrom("dialogues").selectAll().where("team", "=", team);
      if (agent !== undefined) query = query.where("agent", "=", agent);
      if (before !== undefined)
        query = query.where((is) =>
          is.or([
            is("updated_at", "<", before.updated_at),
            is.and([
              is("updated_at", "=", before.updated_at),
              is("conversation_id", ">", before.conversation_id),
            ]),
          ]),
        );
      const rows = await query
        .orderBy("updated_at", "desc")
        .orderBy("conversation_id")
        .limit(limit)
        .execute();
      return rows.map(toDialogue);
    },

    async claim(options) {
      if (options.agents.length === 0) return null;
      // A look that finds nothing costs no turn among the writers.
      if (!(await claimable(db, options, now()))) return null;
      return write((tx) => claim(tx, options));
    },

    renew: (turn, leaseMs) =>
      write(
        async (tx) =>
          changed(
            await held(tx, turn)
              .set({ expires_at: tx.now + leaseMs })
              .executeTakeFirst(),
          ),
        "own",
      ),

    release: (turn) =>
      write(async (tx) => {
        await held(tx, turn)
          .set({ worker_id: null, expires_at: 0, attempts: turn.attempt - 1 })
          .executeTakeFirst();
      }),

    answer: (turn, message, event) =>
      write(async (tx) => {
        const ours = await held(tx, turn)
          .set((update) => ({
            worker_id: null,
            expires_at: 0,
            attempts: 0,
            answered_seq: turn.seq,
            unanswered: update("unanswered", "-", 1),
            messages: update("messages", "+", 1),
            updated_at: tx.now,
          }))
          .executeTakeFirst();
        if (!changed(ours)) return false;
        await tx.db.insertInto("messages").values(messageRow(message)).execute();
        await appendEvents(tx, [event]);
        return true;
      }),

    free: (workerId) =>
      write(async (tx) => {
        await tx.db
          .updateTable("dialogues")
          .set({ expires_at: 0 })
          .where("worker_id", "=", workerId)
          .execute();
      }),

    async waiting(team) {
      const rows = await db
        .selectFrom("dialogues")
        .select(["agent", "worker_id"])
        .where("team", "=", team)
        .where("unanswered", ">", 0)
        .limit(1_000)
        .execute();
      return rows.map(({ agent, worker_id }) => ({ agent, worker: worker_id }));
    },

    async message(conversationId, id) {
      const row = await db
        .selectFrom("messages")
        .selectAll()
        .where("conversation_id", "=", conversationId)
        .where("id", "=", id)
        .executeTakeFirst();
      return row ? toMessage(row) : null;
    },

    async page(conversationId, after, limit) {
      const rows = await db
        .selectFrom("messages")
        .selectAll()
        .where("conversation_id", "=", conversationId)
        .where("seq", ">", fromMessageId(conversationId, after))
        .orderBy("seq")
        .limit(limit + 1)
        .execute();
      const messages = rows
        .slice(0, limit)
        .map((row) => ({ position: messageId(row.seq), message: toMessage(row) }));
      return { messages, more: rows.length > limit };
    },

    async before(turn, limit) {
      const rows = await db
        .selectFrom("messages")
        .selectAll()
        .where("conversation_id", "=", turn.conversation_id)
        .where((where) => where.or([where("seq", "<", turn.seq), where("type", "!=", MESSAGE)]))
        .orderBy("seq", "desc")
        .limit(limit)
        .execute();
      return rows.toReversed().map(toMessage);
    },

    async taskOf(conversationId) {
      const row = await db
        .selectFrom("conversations")
        .select("task_id")
        .where("conversation_id", "=", conversationId)
        .executeTakeFirst();
      return row?.task_id ?? null;
    },
  };
}

/** The type of what a person says; an answer has another. */
const MESSAGE = "message";

const FRESH = {
  messages: 0,
  unanswered: 0,
  answered_seq: 0,
  worker_id: null,
  token: 0,
  attempts: 0,
  expires_at: 0,
} as const;

async function insert(tx: Tx, message: Message, event: EventBody): Promise<OxbowEvent> {
  await tx.db.insertInto("messages").values(messageRow(message)).execute();
  await tx.db
    .updateTable("dialogues")
    .set((update) => ({
      messages: update("messages", "+", 1),
      unanswered: update("unanswered", "+", 1),
      updated_at: tx.now,
    }))
    .where("conversation_id", "=", message.conversation_id)
    .execute();
  const [written] = await appendEvents(tx, [event]);
  if (!written) throw new OxbowError("internal", "The event of a message was not written.");
  return written;
}

async function remove(tx: Tx, conversationId: string, stream: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom("dialogues")
    .select("expires_at")
    .where("conversation_id", "=", conversationId)
    .executeTakeFirst();
  if (!row) return false;
  if (row.expires_at > tx.now)
    throw new OxbowError("task_active", `Somebody is about to answer in ${conversationId}.`, {
      hint: "Wait for the answer first.",
    });
  for (const table of ["messages", "dialogues", "conversations"] as const)
    await tx.db.deleteFrom(table).where("conversation_id", "=", conversationId).execute();
  await tx.db.deleteFrom("events").where("task_id", "=", stream).execute();
  return true;
}

function refuseFull(conversationId: string, row: { messages: number; unanswered: number }): void {
  const full = row.messages >= MAX_DIALOGUE_MESSAGES;
  if (!full && row.unanswered < MAX_UNANSWERED) return;
  const [many, hint] = full
    ? [`${row.messages} messages already`, "Start a new conversation."]
    : [`${row.unanswered} messages that wait for their answers`, "Wait for the answers first."];
  throw new OxbowError("limit_exceeded", `The conversation ${conversationId} has ${many}.`, { hint });
}

interface Claim {
  readonly team: string;
  readonly agents: readonly string[];
  readonly workerId: string;
  readonly leaseMs: number;
}

function claimable(db: Database["db"] | Tx["db"], { team, agents }: Claim, now: number) {
  return db
    .selectFrom("dialogues")
    .selectAll()
    .where("team", "=", team)
    .where("agent", "in", agents)
    .where("unanswered", ">", 0)
    .where("expires_at", "<=", now)
    .orderBy("updated_at")
    .limit(1)
    .executeTakeFirst();
}

async function claim(tx: Tx, options: Claim): Promise<DialogueTurn | null> {
  const row = await claimable(tx.db, options, tx.now);
  if (!row) return null;
  const { conversation_id, agent } = row;
  const message = await tx.db
    .selectFrom("messages")
    .selectAll()
    .where("conversation_id", "=", conversation_id)
    .where("seq", ">", row.answered_seq)
    .where("type", "=", MESSAGE)
    .orderBy("seq")
    .limit(1)
    .executeTakeFirstOrThrow();
  const token = row.token + 1;
  const attempts = row.attempts + 1;
  const { workerId: worker_id, leaseMs } = options;
  await tx.db
    .updateTable("dialogues")
    .set({ worker_id, token, attempts, expires_at: tx.now + leaseMs })
    .where("conversation_id", "=", conversation_id)
    .execute();
  const { seq } = message;
  return { conversation_id, agent, worker_id, token, attempt: attempts, seq, message: toMessage(message) };
}

/** Every holder's change begins with it: it finds the row only while the token is current. */
function held(tx: Tx, turn: DialogueTurn) {
  return tx.db
    .updateTable("dialogues")
    .where("conversation_id", "=", turn.conversation_id)
    .where("token", "=", turn.token)
    .where("worker_id", "=", turn.worker_id);
}

function changed({ numUpdatedRows }: { readonly numUpdatedRows: bigint }): boolean {
  return numUpdatedRows === 1n;
}

function toDialogue(row: DialogueRow): Dialogue {
  const { conversation_id, team, agent, topology, messages, unanswered, created_at, updated_at } = row;
  const about = { conversation_id, team, agent, topology, messages, unanswered, created_at, updated_at };
  return { ...about, worker: row.worker_id };
}

function unknown(conversationId: string): OxbowError {
  return new OxbowError(
    "recipient_unknown",
    `There is no conversation ${JSON.stringify(conversationId.slice(0, 80))}.`,
    {
      hint: "Write to an agent to begin one.",
    },
  );
}
