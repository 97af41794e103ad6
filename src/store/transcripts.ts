/** What models were told and have said, so that another process can go on with a conversation. */
import type { Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { saveCursors } from "./cursors.ts";
import { confirm } from "./queue.ts";

export interface TranscriptStore {
  /**
   * Adds one entry (JSON, without secrets) and moves the conversation's cursors, in one transaction. Throws fenced.
   */
  add(lease: Lease, entry: string, cursors: Readonly<Record<string, string>>): Promise<void>;
  /** In the order in which they were added. */
  read(conversationId: string): Promise<readonly string[]>;
  /** Forgets it: the attempt begins anew. Throws fenced. */
  clear(lease: Lease): Promise<void>;
}

export function createTranscriptStore({ db, write }: Database): TranscriptStore {
  return {
    add: (lease, entry, cursors) =>
      write(async (tx) => {
        await confirm(tx, lease);
        await append(tx, lease, entry);
        await saveCursors(tx, lease.conversation_id, cursors);
      }, "own"),
    async read(conversationId) {
      const rows = await db
        .selectFrom("transcripts")
        .select("entry")
        .where("conversation_id", "=", conversationId)
        .orderBy("position")
        .execute();
      return rows.map(({ entry }) => entry);
    },
    clear: (lease) =>
      write(async (tx) => {
        await confirm(tx, lease);
        await tx.db.deleteFrom("transcripts").where("conversation_id", "=", lease.conversation_id).execute();
      }, "own"),
  };
}

/** The lease's row is locked, so nobody else adds to the conversation meanwhile. */
async function append(tx: Tx, { conversation_id, attempt }: Lease, entry: string): Promise<void> {
  const last = await tx.db
    .selectFrom("transcripts")
    .select("position")
    .where("conversation_id", "=", conversation_id)
    .orderBy("position", "desc")
    .limit(1)
    .executeTakeFirst();
  const position = (last?.position ?? -1) + 1;
  await tx.db
    .insertInto("transcripts")
    .values({ conversation_id, position, attempt, entry, at: tx.now })
    .execute();
}
