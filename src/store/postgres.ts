/**
 * Kysely over Postgres, for many processes on many machines. Writers of a lane take turns, by an advisory lock that ends
 * with the transaction: as in SQLite, what a transaction has read still holds when it writes, and a stream's numbers
 * become visible in their order. Readers and writers of single rows go beside them.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  sql,
} from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { Engine, Lane } from "./engine.ts";
import { type Clients, createClients, type Taken } from "./postgres-clients.ts";
import { isContended, isLost, postgresError } from "./postgres-error.ts";
import { createListener } from "./postgres-listen.ts";
import { type Begun, beginOn, howItEnded } from "./postgres-marks.ts";
import { beforeMigrating, schemaVersion } from "./postgres-schema.ts";
import { parsePostgresUrl, type PostgresPlace } from "./postgres-url.ts";
import type { Schema } from "./schema.ts";
import { createTurns } from "./turns.ts";

const TRIES = 5;
const ASK_MS = 50;
/** The second half of an advisory lock's name. */
const LOCKS: Readonly<Record<Exclude<Lane, "own">, number>> = { state: 1, topics: 2 };

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?schema=name`. */
  readonly url: string;
  /** How long to wait for other processes, or for the server to come back, before it is store_failed; milliseconds. */
  readonly busyMs: number;
}

/** A taken connection; in a transaction that, so that its end can be asked for. */
interface Session extends DatabaseConnection {
  readonly taken: Taken;
  transaction: Begun | null;
}

/** Postgres has no NUL in texts; what JSON escapes is not touched. */
function toParameter(value: unknown): unknown {
  if (typeof value === "string") return value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value;
  return Array.isArray(value) ? value.map(toParameter) : value;
}

/** Runs `work` again where it was refused for the sake of others, or its connection broke before anything was kept. */
async function whileItPasses<T>(busyMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + busyMs;
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const passes = isLost(error) ? performance.now() < deadline : isContended(error) && tries < TRIES;
      if (!passes) throw error;
    }
    await delay(Math.min(tries, 10) * 20 * Math.random());
  }
}

function createSession(taken: Taken, shown: string, busyMs: number): Session {
  async function run<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      if (taken.broken && session.transaction === null) await taken.replace();
      const values = query.parameters.map(toParameter);
      const { command, rowCount, rows } = await taken.client.query(query.sql, values);
      const changes = command === "INSERT" || command === "UPDATE" || command === "DELETE";
      return { rows: rows as R[], ...(changes ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
    } catch (caught) {
      const error = postgresError(caught, shown);
      taken.broken ||= isLost(error);
      throw error;
    }
  }
  const session: Session = {
    taken,
    transaction: null,
    executeQuery<R>(query: CompiledQuery) {
      // A read outside a transaction can be asked again, of whoever answers then.
      const again = session.transaction === null && query.query.kind === "SelectQueryNode";
      return again ? whileItPasses(busyMs, () => run<R>(query)) : run<R>(query);
    },
    // oxlint-disable-next-line require-yield
    async *streamQuery() {
      throw new OxbowError("internal", "The store does not stream queries.");
    },
  };
  return session;
}

/** Whether a transaction was kept whose COMMIT got no answer: asked over another connection. */
async function wasKept({ taken }: Session, begun: Begun, shown: string, busyMs: number): Promise<boolean> {
  const deadline = performance.now() + busyMs;
  const kept = await whileItPasses(busyMs, async () => {
    try {
      await taken.replace();
      for (;;) {
        const found = await howItEnded(taken.client, begun);
        if (found !== "in progress") return found === "committed";
        if (performance.now() > deadline) return null;
        // The server has not noticed yet that nobody is there any more; it gives up by itself.
        await delay(ASK_MS);
      }
    } catch (error) {
      throw postgresError(error, shown);
    }
  });
  if (kept !== null) return kept;
  throw new OxbowError(
    "store_failed",
    `The store ${shown} lost its connection while a change was saved; whether it was kept is not known.`,
  );
}

interface Clock {
  /** What the server's clock is ahead of this machine's, milliseconds. */
  ahead: number;
}

/** The server's time comes with its beginning. */
async function begin(session: Session, clock: Clock, shown: string): Promise<void> {
  try {
    const { now, ...begun } = await beginOn(session.taken.client);
    session.transaction = begun;
    clock.ahead = now - Date.now();
  } catch (caught) {
    const error = postgresError(caught, shown);
    session.taken.broken ||= isLost(error);
    throw error;
  }
}

async function commit(session: Session, shown: string, busyMs: number): Promise<void> {
  try {
    const { command } = await session.taken.client.query("commit");
    session.transaction = null;
    if (command === "COMMIT") return;
  } catch (caught) {
    const error = postgresError(caught, shown);
    if (!isLost(error) || session.transaction === null) throw error;
    if (await wasKept(session, session.transaction, shown, busyMs)) return;
    throw error;
  }
  throw new OxbowError("internal", "A transaction was committed after one of its statements had failed.");
}

async function rollback({ taken }: Session): Promise<void> {
  try {
    await taken.client.query("rollback");
  } catch {
    // Why is known already, from the statement before; closing the connection rolls back too.
    taken.broken = true;
  }
}

function createDriver(clients: Clients, clock: Clock, { shown }: PostgresPlace, busyMs: number): Driver {
  const sessions = new WeakMap<DatabaseConnection, Session>();
  const of = (connection: DatabaseConnection): Session => {
    const session = sessions.get(connection);
    if (!session) throw new OxbowError("internal", "The connection is of another driver.");
    return session;
  };
  return {
    init: () => Promise.resolve(),
    async acquireConnection() {
      const session = createSession(await clients.take(), shown, busyMs);
      sessions.set(session, session);
      return session;
    },
    beginTransaction: (connection) => begin(of(connection), clock, shown),
    commitTransaction: (connection) => commit(of(connection), shown, busyMs),
    rollbackTransaction: (connection) => rollback(of(connection)),
    releaseConnection: (connection) => Promise.resolve(of(connection).taken.give()),
    destroy: () => Promise.resolve(),
  };
}

function createTransact(kysely: Kysely<Schema>, place: PostgresPlace, busyMs: number): Engine["transact"] {
  // Within a process writers queue here, so that not all connections stand in the server's queue.
  const turns = { state: createTurns(), topics: createTurns() };
  return async (lane, work) => {
    if (lane === "own") return whileItPasses(busyMs, () => kysely.transaction().execute(work));
    await turns[lane].acquire();
    try {
      return await whileItPasses(busyMs, () =>
        kysely.transaction().execute(async (db) => {
          await sql`select pg_advisory_xact_lock(${place.lock}::int, ${LOCKS[lane]}::int)`.execute(db);
          return work(db);
        }),
      );
    } finally {
      turns[lane].release();
    }
  };
}

/** Throws store_unsupported for a URL that says nothing, store_failed when the server is not there or says no. */
export async function openPostgres({ url, busyMs }: PostgresOptions): Promise<Engine> {
  const place = parsePostgresUrl(url);
  const clients = createClients(place, busyMs);
  const clock: Clock = { ahead: 0 };
  const kysely = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => createDriver(clients, clock, place, busyMs),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  const listener = createListener(clients, place.schema);
  return {
    kysely,
    place: null,
    transact: createTransact(kysely, place, busyMs),
    now: () => Date.now() + clock.ahead,
    async schemaVersion() {
      const found = await schemaVersion(kysely);
      if (found) clock.ahead = found.now - Date.now();
      return found?.version ?? null;
    },
    beforeMigrating: (db) => beforeMigrating(db, place),
    sequence: (table) =>
      table.addColumn("seq", "bigint", (column) => column.generatedByDefaultAsIdentity().primaryKey()),
    // Without statistics yet, a plain join would walk through all entries in the order of `seq`.
    entriesAfter: (positions, limit) => {
      const [topics, afters] = [positions.map(([topic]) => topic), positions.map(([, after]) => after)];
      return sql`(select entry.* from unnest(${topics}::text[], ${afters}::bigint[]) as wanted(topic, after)
        cross join lateral (
          select * from topic_entries
          where topic_entries.topic = wanted.topic and topic_entries.seq > wanted.after
          order by topic_entries.seq limit ${limit}) as entry)`;
    },
    lockForClaim: (query) => query.forUpdate().skipLocked(),
    watchOthers: listener.watch,
    tellOthers: listener.tell,
    // The server's own autovacuum does it.
    compact: () => Promise.resolve(true),
    async close() {
      await listener.close();
      await clients.close();
    },
  };
}
