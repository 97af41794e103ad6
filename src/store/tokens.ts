/** The tokens of the network doors. Of their secrets only hashes are here. */
import type { Selectable } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { Scope, TokenRecord } from "../core/token.ts";
import type { Database } from "./engine.ts";
import { toJson } from "./rows.ts";
import type { TokenRow } from "./schema.ts";

/** Tokens of one store. */
const MAX_TOKENS = 1_000;
/** A use is written when the last one that was is older, milliseconds. */
const COARSE_MS = 60_000;

export interface TokenStore {
  /** Throws limit_exceeded, and token_taken when one has the name. */
  create(
    token: Pick<TokenRecord, "token_id" | "name" | "scopes"> & { hash: string; lifeMs: number | null },
  ): Promise<TokenRecord>;
  /** The oldest first, also those whose time is up. */
  list(): Promise<readonly TokenRecord[]>;
  /** With its hash and whether its time is up; null: there is none of that id. */
  find(id: string): Promise<(TokenRecord & { readonly hash: string; readonly expired: boolean }) | null>;
  /** Notes that it was used, to the minute. */
  used(token: TokenRecord): Promise<void>;
  /** By id or name. Null: there is none. */
  revoke(idOrName: string): Promise<TokenRecord | null>;
}

export function createTokenStore({ db, write, now }: Database): TokenStore {
  return {
    create: ({ hash, lifeMs, scopes, ...token }) =>
      write(async (tx) => {
        const all = await tx.db.selectFrom("tokens").select("name").limit(MAX_TOKENS).execute();
        if (all.length >= MAX_TOKENS)
          throw new OxbowError("limit_exceeded", `There are ${MAX_TOKENS} tokens already.`, {
            hint: "Revoke some first with `oxbow token revoke`.",
          });
        if (all.some(({ name }) => name === token.name))
          throw new OxbowError("token_taken", `There is a token named ${token.name} already.`);
        const expires_at = lifeMs === null ? null : tx.now + lifeMs;
        const times = { created_at: tx.now, expires_at, last_used_at: null };
        const row = { ...token, ...times, hash, scopes: toJson(scopes) };
        await tx.db.insertInto("tokens").values(row).execute();
        return toToken(row);
      }),

    async list() {
      const rows = await db
        .selectFrom("tokens")
        .selectAll()
        .orderBy("created_at")
        .orderBy("token_id")
        .execute();
      return rows.map(toToken);
    },

    async find(id) {
      const row = await db.selectFrom("tokens").selectAll().where("token_id", "=", id).executeTakeFirst();
      if (!row) return null;
      const expired = row.expires_at !== null && row.expires_at <= now();
      return { ...toToken(row), hash: row.hash, expired };
    },

    async used({ token_id, last_used_at }) {
      if (last_used_at !== null && now() - last_used_at < COARSE_MS) return;
      await write(async (tx) => {
        await tx.db
          .updateTable("tokens")
          .set({ last_used_at: tx.now })
          .where("token_id", "=", token_id)
          .execute();
      });
    },

    revoke: (idOrName) =>
      write(async (tx) => {
        const row = await tx.db
          .selectFrom("tokens")
          .selectAll()
          .where((where) => where.or([where("token_id", "=", idOrName), where("name", "=", idOrName)]))
          .executeTakeFirst();
        if (!row) return null;
        await tx.db.deleteFrom("tokens").where("token_id", "=", row.token_id).execute();
        return toToken(row);
      }),
  };
}

function toToken({ hash: _, scopes, ...row }: Selectable<TokenRow>): TokenRecord {
  return { ...row, scopes: JSON.parse(scopes) as Scope[] };
}
