/**
 * Messages that agents write to each other: rows on the recipient's conversation. An attempt reads all of them from the
 * first, since it begins with a new model that has seen none; how far it has read is known to it alone. Each message is
 * either before the attempt when it says that it will read no more (`stopListening`), or refused: the lease's row is
 * locked by both.
 */
import { OxbowError } from "../core/errors.ts";
import type { ChatStore, Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { held } from "./queue.ts";
import { fromMessageId, messageId, messageRow, toMessage } from "./rows.ts";

/** Messages on one conversation. */
export const MAX_CHAT_MESSAGES = 500;

export function createChatStore({ db, write }: Database): ChatStore {
  return {
    async addressees(taskId) {
      const rows = await db
        .selectFrom("leases")
        .select(["conversation_id", "agent", "state", "token", "deaf_token"])
        .where("task_id", "=", taskId)
        .orderBy("message_seq")
        .execute();
      return rows.map(({ conversation_id, agent, state, token, deaf_token }) => ({
        conversation_id,
        agent,
        listening: state !== "done" && token !== deaf_token,
      }));
    },

    send: (posts) =>
      write(async (tx) => {
        const reached = [];
        // In one order for all senders, so that no two of them wait for each other.
        const ordered = posts.toSorted((a, b) =>
          a.message.conversation_id < b.message.conversation_id ? -1 : 1,
        );
        for (const post of ordered) {
          const to = post.message.conversation_id;
          if (!(await lockListener(tx, to))) continue;
          await refuseFull(tx, to);
          await tx.db.insertInto("messages").values(messageRow(post.message)).execute();
          reached.push(post);
        }
        await appendEvents(
          tx,
          reached.map(({ event }) => event),
        );
        return reached.map(({ message }) => message.conversation_id);
      }),

    async read(conversationId, after, limit) {
      const rows = await unread(db, conversationId, after).orderBy("seq").limit(limit).execute();
      return rows.map((row) => ({ position: messageId(row.seq), message: toMessage(row) }));
    },

    stopListening: (lease, after, { anyway }) => write((tx) => stopListening(tx, lease, after, anyway)),
  };
}

/** Changes nothing: it asks whether the conversation still listens, and keeps the answer true until the commit. */
async function lockListener(tx: Tx, conversationId: string): Promise<boolean> {
  const { numUpdatedRows } = await tx.db
    .updateTable("leases")
    .set((update) => ({ deaf_token: update.ref("deaf_token") }))
    .where("conversation_id", "=", conversationId)
    .where("state", "!=", "done")
    .where((where) =>
      where.or([where("deaf_token", "is", null), where("deaf_token", "!=", where.ref("token"))]),
    )
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function refuseFull(tx: Tx, conversationId: string): Promise<void> {
  const { count } = await tx.db
    .selectFrom("messages")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("conversation_id", "=", conversationId)
    .where("type", "=", "chat")
    .executeTakeFirstOrThrow();
  if (Number(count) < MAX_CHAT_MESSAGES) return;
  throw new OxbowError(
    "limit_exceeded",
    `The conversation ${conversationId} has ${MAX_CHAT_MESSAGES} messages already.`,
    { hint: "Go on without writing to it.", details: { conversation_id: conversationId } },
  );
}

function unread(db: Database["db"], conversationId: string, after: string | null) {
  return db
    .selectFrom("messages")
    .selectAll()
    .where("conversation_id", "=", conversationId)
    .where("type", "=", "chat")
    .where("seq", ">", fromMessageId(conversationId, after));
}

async function stopListening(
  tx: Tx,
  lease: Lease,
  after: string | null,
  anyway: boolean,
): Promise<{ stopped: boolean; unread: number }> {
  const { numUpdatedRows } = await held(tx, lease).set({ deaf_token: lease.token }).executeTakeFirst();
  // Somebody else has the conversation now, and reads it from the first message.
  if (numUpdatedRows !== 1n) return { stopped: true, unread: 0 };
  const left = (await unread(tx.db, lease.conversation_id, after).execute()).length;
  if (left === 0 || anyway) return { stopped: true, unread: left };
  await held(tx, lease).set({ deaf_token: null }).execute();
  return { stopped: false, unread: left };
}
