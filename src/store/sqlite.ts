/** Kysely over `node:sqlite`: one connection, used by one caller at a time; other processes are waited for, not failed on. */
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from "kysely";
import { OxbowError } from "../core/errors.ts";
import { makeFolder } from "../host/folders.ts";
import type { Engine } from "./engine.ts";
import { pollOthers } from "./foreign.ts";
import type { Schema } from "./schema.ts";
import { isBusy, storeError } from "./sqlite-error.ts";
import { createTurns, turnsOf } from "./turns.ts";

const STATEMENTS = 256;
/** How long SQLite itself waits, with the thread stopped; longer waits are slept outside it. */
const INNER_BUSY_MS = 2;

export interface SqliteOptions {
  /** An absolute path, or `:memory:`. */
  readonly file: string;
  /** How long to wait for other processes before it is store_failed, milliseconds. */
  readonly busyMs: number;
}

interface Statement {
  readonly prepared: StatementSync;
  readonly reads: boolean;
}

/** Prepared once per text; the least recently used is dropped. */
function createStatements(db: DatabaseSync): (text: string) => Statement {
  const cache = new Map<string, Statement>();
  return (text) => {
    let found = cache.get(text);
    if (found) cache.delete(text);
    else {
      const prepared = db.prepare(text);
      found = { prepared, reads: prepared.columns().length > 0 };
      const [oldest] = cache.size >= STATEMENTS ? cache.keys() : [];
      if (oldest !== undefined) cache.delete(oldest);
    }
    cache.set(text, found);
    return found;
  };
}

/** Kysely would queue callers itself, and would leave its queue locked after a refused connection. */
class OwnQueueAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

function toParameter(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  throw new OxbowError("internal", `The store cannot bind a ${typeof value}.`);
}

/** Runs `work` until no other process stands in the way. Between tries the event loop goes on. */
async function whenFree<T>(options: SqliteOptions, work: () => T): Promise<T> {
  const deadline = performance.now() + options.busyMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw storeError(error, options.file);
    }
    await delay(1 + Math.random() * 3);
  }
}

function connect(db: DatabaseSync, options: SqliteOptions): DatabaseConnection {
  const statement = createStatements(db);
  const run = <R>(query: CompiledQuery): QueryResult<R> => {
    const { prepared, reads } = statement(query.sql);
    const parameters = query.parameters.map(toParameter);
    if (reads) return { rows: prepared.all(...parameters) as R[] };
    const { changes, lastInsertRowid } = prepared.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  };
  return {
    executeQuery: (query) => whenFree(options, () => run(query)),
    // oxlint-disable-next-line require-yield
    async *streamQuery() {
      throw new OxbowError("internal", "The store does not stream queries.");
    },
  };
}

async function prepare(db: DatabaseSync, options: SqliteOptions): Promise<void> {
  await whenFree(options, () => {
    db.exec(`PRAGMA busy_timeout = ${INNER_BUSY_MS}`);
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = NORMAL");
    db.exec("PRAGMA foreign_keys = ON");
    db.exec("PRAGMA temp_store = MEMORY");
  });
}

/** NaN, which differs from every answer, when the file could not be asked just now. */
function dataVersion(version: StatementSync, options: SqliteOptions): number {
  try {
    return Number(version.get()?.["data_version"]);
  } catch (error) {
    if (isBusy(error)) return Number.NaN;
    throw storeError(error, options.file);
  }
}

function openFile(options: SqliteOptions): DatabaseSync {
  try {
    if (options.file !== ":memory:") makeFolder(dirname(options.file));
    return new DatabaseSync(options.file);
  } catch (error) {
    throw storeError(error, options.file);
  }
}

const MIN_FREE_BYTES = 1_000_000;

/** Rewriting the file costs as much as all it holds: only when a quarter of it is free. False while others use it. */
function compactFile(db: DatabaseSync): boolean {
  const ask = (name: string) => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  const [free, pages, size] = [ask("freelist_count"), ask("page_count"), ask("page_size")];
  try {
    if (free * size >= MIN_FREE_BYTES && free * 4 >= pages) db.exec("VACUUM");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return true;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}

/** Throws store_failed when the file cannot be opened, is no database, or stays locked. */
export async function openSqlite(options: SqliteOptions): Promise<Engine> {
  const db = openFile(options);
  const memory = options.file === ":memory:";
  try {
    await prepare(db, options);
  } catch (error) {
    db.close();
    throw error;
  }
  const { turns, leave } = memory
    ? { turns: createTurns(), leave: () => undefined }
    : turnsOf(realpathSync(options.file));
  const connection = connect(db, options);
  const version = db.prepare("PRAGMA data_version");
  let closing: Promise<void> | null = null;

  const driver: Driver = {
    init: () => Promise.resolve(),
    async acquireConnection() {
      if (closing) throw new OxbowError("store_failed", "The store is closed.");
      await turns.acquire();
      return connection;
    },
    // IMMEDIATE: a transaction that would turn from reader to writer half-way could be refused with no way to wait.
    beginTransaction: () => whenFree(options, () => db.exec("BEGIN IMMEDIATE")),
    commitTransaction: () => whenFree(options, () => db.exec("COMMIT")),
    // SQLite has rolled back by itself after some failures (a full disk).
    rollbackTransaction: () => whenFree(options, () => (db.isTransaction ? db.exec("ROLLBACK") : undefined)),
    async releaseConnection() {
      turns.release();
    },
    destroy: () => Promise.resolve(),
  };
  const compact = async () => {
    await turns.acquire();
    try {
      return compactFile(db);
    } finally {
      turns.release();
    }
  };
  const close = async () => {
    await turns.acquire();
    try {
      db.close();
    } finally {
      turns.release();
      leave();
    }
  };
  const kysely = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new OwnQueueAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  return {
    kysely,
    place: memory ? null : realpathSync(options.file),
    // There is one writer, whatever the lane.
    transact: (_lane, work) => kysely.transaction().execute(work),
    now: Date.now,
    schemaVersion: () => Promise.resolve(null),
    beforeMigrating: (db) => Promise.resolve(db),
    sequence: (table) => table.addColumn("seq", "integer", (column) => column.primaryKey().autoIncrement()),
    // A cross join is never turned round.
    entriesAfter: (positions) => sql`(select entry.* from json_each(${JSON.stringify(positions)}) as wanted
      cross join topic_entries as entry
      where entry.topic = wanted.value ->> 0 and entry.seq > wanted.value ->> 1)`,
    lockForClaim: (query) => query,
    watchOthers: memory ? null : pollOthers(kysely, () => dataVersion(version, options)),
    tellOthers: () => undefined,
    compact,
    close: () => (closing ??= close()),
  };
}
