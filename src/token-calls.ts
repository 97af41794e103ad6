/** The app's methods for the tokens of its network doors. */
import { randomBytes } from "node:crypto";
import type { TokenStore } from "./store/tokens.ts";
import { OxbowError } from "./core/errors.ts";
import {
  isToken,
  type Principal,
  type Scope,
  type TokenRecord,
  tokenHash,
  tokenId,
  writeToken,
} from "./core/token.ts";
import { newId } from "./host/ids.ts";

export type { Principal, Scope, TokenRecord } from "./core/token.ts";

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds; null: it does not end by itself. */
  readonly lifeMs: number | null;
}

export interface TokenCalls {
  /** The token itself is given here and never again. Throws usage, token_taken, limit_exceeded. */
  createToken(wanted: NewToken): Promise<TokenRecord & { readonly token: string }>;
  /** The oldest first, also those whose time is up. */
  tokens(): Promise<readonly TokenRecord[]>;
  /** From here on it opens nothing. Throws token_unknown. */
  revokeToken(idOrName: string): Promise<TokenRecord>;
  /** Whom a token stands for; null: it is none of this store's, revoked, or its time is up. */
  authenticate(token: string): Promise<Principal | null>;
}

/** Random characters of an id made by `newId`. */
const ID_LENGTH = 10;

export function tokenDesk(store: TokenStore): TokenCalls {
  return {
    async createToken({ name, scopes, lifeMs }) {
      if (!/^[\w.@-][\w.@ -]{0,99}$/.test(name))
        throw new OxbowError("usage", "A token's name is 1 to 100 letters, digits, blanks or . _ @ -.");
      if (scopes.length === 0) throw new OxbowError("usage", "A token needs at least one scope.");
      const id = newId("").slice(-ID_LENGTH);
      const token = writeToken(id, randomBytes(32));
      const kept = { token_id: id, name, scopes: [...new Set(scopes)], hash: tokenHash(token), lifeMs };
      return { ...(await store.create(kept)), token };
    },

    tokens: () => store.list(),

    async revokeToken(idOrName) {
      const revoked = await store.revoke(idOrName);
      if (revoked) return revoked;
      throw new OxbowError("token_unknown", `There is no token ${JSON.stringify(idOrName.slice(0, 100))}.`);
    },

    async authenticate(token) {
      const id = tokenId(token);
      const found = id === null ? null : await store.find(id);
      if (found === null || !isToken(token, found.hash) || found.expired) return null;
      await store.used(found);
      return { name: found.name, token_id: found.token_id, scopes: found.scopes };
    },
  };
}
