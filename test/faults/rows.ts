/** Reads the tables with SQL of its own, past everything that Oxbow thinks of them. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";

export type Row = Readonly<Record<string, unknown>>;
export type Sql = (statement: string) => Promise<readonly Row[]>;

/** Of `sqlite:FILE` or a Postgres: `?schema=` of a Postgres URL says which schema. */
export async function withRows<T>(
  repo: string,
  url: string | undefined,
  use: (sql: Sql) => Promise<T>,
): Promise<T> {
  if (url === undefined || url.startsWith("sqlite:")) {
    const file = url?.slice("sqlite:".length) ?? join(repo, ".git/oxbow/oxbow.db");
    using db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    return await use((statement) => Promise.resolve(db.prepare(statement).all()));
  }
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(`set search_path to ${new URL(url).searchParams.get("schema")}`);
    return await use(async (statement) => (await client.query<Row>(statement)).rows);
  } finally {
    await client.end();
  }
}

/** What a run fills. */
export const TABLES = [
  "tasks",
  "subtasks",
  "outcomes",
  "attempts",
  "leases",
  "outbox",
  "topic_entries",
  "events",
  "workers",
  "messages",
] as const;
type Name = (typeof TABLES)[number];
export type Rows = Readonly<Record<Name, readonly Row[]>>;

export async function readAll(sql: Sql): Promise<Rows> {
  const read: Partial<Record<Name, readonly Row[]>> = {};
  for (const name of TABLES) read[name] = await sql(`select * from ${name}`);
  return read as Rows;
}

export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
