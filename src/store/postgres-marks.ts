/**
 * How a transaction ended whose COMMIT got no answer. The server knows its number, but one that was killed gives a number
 * that it had not written down yet to another transaction after its start. So each transaction leaves a mark of its own,
 * and the mark is what counts: a row for each connection, with the count of its transactions.
 */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { isUnknownTransaction, isUnmade, postgresError } from "./postgres-error.ts";
import { SERVER_TIME } from "./postgres-schema.ts";

export interface Begun {
  /** The server's number of it. */
  readonly transaction: string;
  /** Null before there is a table for marks. */
  readonly mark: { readonly session: string; readonly n: number } | null;
}

const KEEP_MS = 86_400_000;
/**
 * Whatever the database's own default is: each statement sees what is committed when it begins, so that a writer sees all
 * that was done before his turn.
 */
const BEGIN = "begin isolation level read committed read write";
const ABOUT = `select pg_current_xact_id()::text as transaction, ${SERVER_TIME} as now`;
/** Of connections that are long gone; what somebody else removes at the moment is left to him. */
const TIDY = `delete from transaction_marks where session in
  (select session from transaction_marks where at < ${SERVER_TIME} - ${KEEP_MS} for update skip locked)`;

const marks = new WeakMap<pg.PoolClient, { readonly session: string; readonly n: number }>();

/** Begins a transaction, in one round trip. Throws what the library throws. */
export async function beginOn(client: pg.PoolClient): Promise<Begun & { readonly now: number }> {
  const last = marks.get(client) ?? { session: randomUUID(), n: 0 };
  const mark = { ...last, n: last.n + 1 };
  marks.set(client, mark);
  const leave = `insert into transaction_marks (session, n, at) values ('${mark.session}', ${mark.n}, ${SERVER_TIME})
    on conflict (session) do update set n = excluded.n, at = excluded.at`;
  try {
    return { ...(await ask(client, [BEGIN, leave, ...(mark.n === 1 ? [TIDY] : []), ABOUT])), mark };
  } catch (error) {
    if (!isUnmade(postgresError(error, ""))) throw error;
    return { ...(await ask(client, ["rollback", BEGIN, ABOUT])), mark: null };
  }
}

async function ask(client: pg.PoolClient, statements: readonly string[]) {
  const results: unknown = await client.query(statements.join("; "));
  const row: { transaction: string; now: number } = Array.isArray(results) ? results.at(-1).rows[0] : null;
  return row;
}

/** Asked over another connection, of a server that may have been started again meanwhile. Throws what the library throws. */
export async function howItEnded(
  client: pg.PoolClient,
  { transaction, mark }: Begun,
): Promise<"committed" | "aborted" | "in progress"> {
  const status = await statusOf(client, transaction);
  if (status === "in progress") return status;
  if (mark === null) return status;
  const found = "select n from transaction_marks where session = $1 and n >= $2";
  const { rows } = await client.query(found, [mark.session, mark.n]);
  return rows.length > 0 ? "committed" : "aborted";
}

async function statusOf(client: pg.PoolClient, transaction: string) {
  try {
    const { rows } = await client.query("select pg_xact_status($1::xid8) as status", [transaction]);
    const status: unknown = rows[0]?.status;
    return status === "in progress" || status === "committed" ? status : "aborted";
  } catch (error) {
    // A server that was killed and started again has never given out that number.
    if (isUnknownTransaction(postgresError(error, ""))) return "aborted";
    throw error;
  }
}
