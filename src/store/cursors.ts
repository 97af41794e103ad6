/** How far a conversation has read each topic. */
import type { Tx } from "./engine.ts";

export async function saveCursors(
  tx: Tx,
  conversationId: string,
  cursors: Readonly<Record<string, string>>,
): Promise<void> {
  const rows = Object.entries(cursors).map(([topic, position]) => ({
    conversation_id: conversationId,
    topic,
    position,
    updated_at: tx.now,
  }));
  if (rows.length === 0) return;
  await tx.db
    .insertInto("cursors")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["conversation_id", "topic"]).doUpdateSet((update) => ({
        position: update.ref("excluded.position"),
        updated_at: update.ref("excluded.updated_at"),
      })),
    )
    .execute();
}
