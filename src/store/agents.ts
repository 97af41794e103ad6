/**
 * What of a team's agents is not in its file: those that were registered at run time, and those that were shut down.
 * Rows are never removed, so that what an agent has begun still finds who it was.
 */
import type { EventBody } from "../core/events.ts";
import type { Json } from "../core/model.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { toJson } from "./rows.ts";

export interface StoredAgent {
  readonly name: string;
  /** The agent in the words of the team file; null: it is the team file's own. */
  readonly words: Json;
  readonly state: "active" | "shut_down";
  /** Unix milliseconds. */
  readonly updated_at: number;
}

export interface AgentStore {
  /** In the order of their names. */
  list(team: string): Promise<readonly StoredAgent[]>;
  /**
   * Writes an agent as it is from here on; `check` sees what is there, and refuses by a throw. One that is active again
   * may go on with what was blocked.
   */
  save(
    team: string,
    agent: Pick<StoredAgent, "name" | "words">,
    check: (agents: readonly StoredAgent[]) => void,
    events: readonly EventBody[],
  ): Promise<void>;
  /**
   * It gets no more work: what it has begun is to be handed back, and is blocked then. Returns the conversations that are
   * at work. False in `changed`: it was shut down already.
   */
  shutDown(
    team: string,
    name: string,
    events: readonly EventBody[],
  ): Promise<{ readonly changed: boolean; readonly working: readonly string[] }>;
}

export function createAgentStore({ db, write }: Database): AgentStore {
  return {
    list: (team) => listed(db, team),

    save: (team, { name, words }, check, events) =>
      write(async (tx) => {
        check(await listed(tx.db, team));
        await put(tx, team, name, "active", toJson(words));
        await tx.db
          .updateTable("leases")
          .set({ not_before: 0 })
          .where("agent", "=", name)
          .where("state", "=", "ready")
          .where("task_id", "in", (sub) => sub.selectFrom("tasks").select("task_id").where("team", "=", team))
          .execute();
        await appendEvents(tx, events);
      }),

    shutDown: (team, name, events) =>
      write(async (tx) => {
        const known = (await listed(tx.db, team)).find((each) => each.name === name);
        if (known?.state === "shut_down") return { changed: false, working: [] };
        await put(tx, team, name, "shut_down", toJson(known?.words ?? null));
        const working = await tx.db
          .updateTable("leases")
          .set((update) => ({ recall_token: update.ref("token") }))
          .where("agent", "=", name)
          .where("state", "=", "held")
          .where("task_id", "in", (sub) => sub.selectFrom("tasks").select("task_id").where("team", "=", team))
          .returning("conversation_id")
          .execute();
        await appendEvents(tx, events);
        return { changed: true, working: working.map(({ conversation_id }) => conversation_id) };
      }),
  };
}

async function listed(db: Database["db"] | Tx["db"], team: string): Promise<readonly StoredAgent[]> {
  const rows = await db.selectFrom("agents").selectAll().where("team", "=", team).orderBy("name").execute();
  return rows.map(({ name, spec, state, updated_at }) => ({
    name,
    words: JSON.parse(spec),
    state: state === "shut_down" ? "shut_down" : "active",
    updated_at,
  }));
}

async function put(
  tx: Tx,
  team: string,
  name: string,
  state: StoredAgent["state"],
  spec: string,
): Promise<void> {
  const row = { team, name, state, spec, updated_at: tx.now };
  await tx.db
    .insertInto("agents")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["team", "name"]).doUpdateSet({ state, spec, updated_at: tx.now }),
    )
    .execute();
}
