/** The engines over which every suite of the store runs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import type { TestServer } from "./servers.ts";
import { inSchema, runSql } from "./store-sql.ts";

export { inSchema, runSql };

export interface StorePlace {
  readonly url: string;
  readonly redis?: { readonly url: string } | undefined;
}

/** One database of a test, which may be opened many times; closed and removed on disposal. */
export interface TestDatabase extends StorePlace, AsyncDisposable {
  /** The clock of every store opened here, Unix milliseconds; tests move it. */
  readonly clock: { now: number };
  open(): Promise<Store>;
}

export type OpenDatabase = () => Promise<TestDatabase>;

function database(url: string, remove: () => Promise<void>, redisUrl?: string): TestDatabase {
  const clock = { now: 1_700_000_000_000 };
  const stores: Store[] = [];
  const redis = redisUrl === undefined ? undefined : { url: redisUrl };
  return {
    url,
    redis,
    clock,
    async open() {
      const store = await openStore({ url, redis, now: () => clock.now });
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await remove();
    },
  };
}

/** For each test an empty database with a store in it, both gone afterwards. */
export function freshStore(
  open: OpenDatabase,
  made: (fresh: { database: TestDatabase; store: Store }) => void,
): void {
  let fresh: TestDatabase;
  beforeEach(async () => {
    fresh = await open();
    made({ database: fresh, store: await fresh.open() });
  });
  afterEach(() => fresh[Symbol.asyncDispose]());
}

export async function sqliteFile(redisUrl?: string): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), "oxbow-store-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  return database(`sqlite:${join(folder, "state", "oxbow.db")}`, remove, redisUrl);
}

/** Private to the store that opens it, so opening it again gives the same store. */
export function sqliteMemory(): Promise<TestDatabase> {
  const memory = database("sqlite::memory:", () => Promise.resolve());
  let store: Promise<Store> | undefined;
  return Promise.resolve({ ...memory, open: () => (store ??= memory.open()) });
}

/** Empties every table, as fast as making them is slow, and gives the store a new name. */
const emptied = (schema: string) => `do $$ declare each text; begin
  perform set_config('session_replication_role', 'replica', true);
  for each in select tablename from pg_tables where schemaname = '${schema}' and tablename not in ('migrations', 'store_facts')
    loop execute format('delete from ${schema}.%I', each); end loop;
  for each in select sequencename from pg_sequences where schemaname = '${schema}'
    loop perform setval(format('${schema}.%I', each)::regclass, 1, false); end loop;
  delete from ${schema}.store_facts where name <> 'store_id';
  update ${schema}.store_facts set value = md5(random()::text);
end $$`;

/** Databases whose tables are made once and then used again: for suites that look at what is in them only. */
export function emptySchemas(server: TestServer): OpenDatabase {
  if (!server.own) return postgresSchema(server);
  const free: string[] = [];
  let made = 0;
  afterAll(async () => {
    for (const schema of free) await runSql(server, `drop schema ${schema} cascade`);
  });
  return () => {
    const schema = free.pop() ?? `${server.name}_e${++made}`;
    const remove = async () => {
      await runSql(server, emptied(schema));
      free.push(schema);
    };
    return Promise.resolve(database(inSchema(server, schema), remove));
  };
}

/** A schema of its own for each database. */
export function postgresSchema(server: TestServer, redisUrl?: string): OpenDatabase {
  let made = 0;
  return () => {
    const schema = `${server.name}_${++made}`;
    const remove = async () => void (await runSql(server, `drop schema if exists ${schema} cascade`));
    return Promise.resolve(database(inSchema(server, schema), remove, redisUrl));
  };
}
