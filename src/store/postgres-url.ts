/** What a `postgres://user:password@host:port/database?schema=name` says. */
import { createHash } from "node:crypto";
import { OxbowError } from "../core/errors.ts";

export interface PostgresPlace {
  /** For the driver: the URL without what is Oxbow's own. Holds the password. */
  readonly connection: string;
  /** The schema that holds the tables. */
  readonly schema: string;
  /** For people: without password and parameters. */
  readonly shown: string;
  /** Stands for the schema among the advisory locks of a database; 32 bits, signed. */
  readonly lock: number;
}

const DEFAULT_SCHEMA = "oxbow";
/** The driver takes all of these for verify-full, and warns about it at every start. */
const VERIFIED = new Set(["prefer", "require", "verify-ca"]);

/** Throws store_unsupported; no message repeats the password. */
export function parsePostgresUrl(text: string): PostgresPlace {
  if (!/^postgres(?:ql)?:\/\//i.test(text) || !URL.canParse(text) || text.includes("\0")) {
    throw new OxbowError(
      "store_unsupported",
      "The Postgres URL cannot be read: it has the form postgres://user:password@host:5432/database, with special characters of the password percent-encoded.",
    );
  }
  const url = new URL(text);
  const schema = url.searchParams.get("schema") ?? DEFAULT_SCHEMA;
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith("pg_")) {
    throw new OxbowError(
      "store_unsupported",
      `The schema "${schema.slice(0, 80)}" of the Postgres URL is no plain name: small letters, digits and _, at most 63, not beginning with pg_.`,
    );
  }
  const host = url.host || url.searchParams.get("host") || "localhost";
  const verified = VERIFIED.has(url.searchParams.get("sslmode") ?? "");
  if (verified && !url.searchParams.has("uselibpqcompat")) url.searchParams.set("sslmode", "verify-full");
  url.searchParams.delete("schema");
  const user = url.username ? `${url.username}@` : "";
  return {
    connection: url.href,
    schema,
    shown: `postgres://${user}${host}${url.pathname} (schema ${schema})`,
    lock: createHash("sha256").update(`oxbow ${schema}`).digest().readInt32BE(0),
  };
}
