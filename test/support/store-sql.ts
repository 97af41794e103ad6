/** Schemas of a Postgres for tests, and plain statements there. */
import pg from "pg";

/** `postgres://…?schema=NAME` */
export function inSchema(server: { readonly url: string }, schema: string): string {
  const url = new URL(server.url);
  url.searchParams.set("schema", schema);
  return url.href;
}

/** Runs one statement as the server's own user. */
export async function runSql(
  server: { readonly url: string },
  statement: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.url);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
