/** Connections to one Postgres: a bounded number, made when needed; a server that is away for a moment is waited for. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { OxbowError } from "../core/errors.ts";
import { isComing, isLost, postgresError } from "./postgres-error.ts";
import type { PostgresPlace } from "./postgres-url.ts";

/** One writer per lane and some readers; a server's 100 connections serve eleven such processes. */
const MOST = 8;
const CONNECT_MS = 10_000;
const IDLE_MS = 30_000;
const RETRY_MS = 50;
const INT8 = 20;

/** A connection that is the caller's until it gives it back. */
export interface Taken {
  /** Throws store_failed where there is none, because it could not be replaced. */
  readonly client: pg.PoolClient;
  /** Set by whoever saw it break: it is closed then, not used again. */
  broken: boolean;
  /** Another connection instead of it; waits as `take` does. Throws store_failed. */
  replace(): Promise<void>;
  give(): void;
}

export interface Clients {
  /** Waits for a place, and for a server that was there before and is away, up to `busyMs`. Throws store_failed. */
  take(): Promise<Taken>;
  /** A connection beside the bounded ones that listens, the caller's own to close. Does not wait. Throws store_failed. */
  listening(channel: string, hear: (notification: pg.Notification) => void): Promise<pg.Client>;
  /** Waits for those that are taken. Later calls of `take` throw store_failed. */
  close(): Promise<void>;
}

/** `bigint` columns hold times, tokens and positions, all of which fit a number. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format ?? "text"),
};

/** Said to each new connection, since a pooler in between may drop what is said at its start. */
function settingsOf(place: PostgresPlace, busyMs: number): string {
  const settings = {
    search_path: place.schema,
    lock_timeout: busyMs,
    // A process that stands still in a transaction is put out of it, before others give up waiting for it.
    idle_in_transaction_session_timeout: Math.ceil(busyMs / 2),
    client_min_messages: "warning",
    // Every statement is short: compiling one costs more than running it.
    jit: "off",
  };
  return Object.entries(settings)
    .map(([name, value]) => `set ${name} to ${value}`)
    .join("; ");
}

/** Hands out `MOST` places, first come, first served. */
function createPlaces() {
  let free = MOST;
  const queue: (() => void)[] = [];
  return {
    async take(): Promise<void> {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => queue.push(resolve));
    },
    give(): void {
      const next = queue.shift();
      if (next) next();
      else free++;
    },
  };
}

export function createClients(place: PostgresPlace, busyMs: number): Clients {
  const config: pg.PoolConfig = {
    connectionString: place.connection,
    fallback_application_name: "oxbow",
    types,
    max: MOST,
    connectionTimeoutMillis: CONNECT_MS,
    // A server that no longer answers at all; long waits for locks end before.
    query_timeout: busyMs + CONNECT_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    allowExitOnIdle: true,
  };
  const pool = new pg.Pool(config);
  // A connection that breaks while nobody uses it is no failure: the pool drops it, whoever uses it is told.
  const ignore = () => undefined;
  pool.on("error", ignore);
  pool.on("connect", (client) => client.on("error", ignore));
  const settings = settingsOf(place, busyMs);
  const prepared = new WeakSet<pg.PoolClient>();
  const places = createPlaces();
  let reached = false;
  let closing: Promise<void> | null = null;

  async function prepare(client: pg.PoolClient): Promise<void> {
    try {
      await client.query(settings);
      prepared.add(client);
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async function connect(): Promise<pg.PoolClient> {
    const deadline = performance.now() + busyMs;
    for (let wait = RETRY_MS; ; wait = Math.min(wait * 2, 1000)) {
      try {
        const client = await pool.connect();
        if (!prepared.has(client)) await prepare(client);
        reached = true;
        return client;
      } catch (caught) {
        const error = postgresError(caught, place.shown);
        const passes = isComing(error) || (reached && isLost(error));
        if (!passes || performance.now() > deadline) throw error;
      }
      await delay(wait);
    }
  }

  function taken(first: pg.PoolClient): Taken {
    let client: pg.PoolClient | null = first;
    return {
      broken: false,
      get client() {
        if (client) return client;
        throw new OxbowError("store_failed", `The store ${place.shown} cannot be reached.`);
      },
      async replace() {
        client?.release(true);
        client = null;
        client = await connect();
        this.broken = false;
      },
      give() {
        client?.release(this.broken);
        places.give();
      },
    };
  }

  async function close(): Promise<void> {
    for (let n = 0; n < MOST; n++) await places.take();
    await pool.end();
  }

  return {
    async take() {
      if (closing) throw new OxbowError("store_failed", "The store is closed.");
      await places.take();
      try {
        return taken(await connect());
      } catch (error) {
        places.give();
        throw error;
      }
    },
    async listening(channel, hear) {
      const client = new pg.Client(config);
      client.on("error", ignore);
      client.on("notification", hear);
      try {
        await client.connect();
        // A channel has the name of a schema, which needs no quotes.
        await client.query(`listen ${channel}`);
        return client;
      } catch (error) {
        await client.end().catch(ignore);
        throw postgresError(error, place.shown);
      }
    },
    close: () => (closing ??= close()),
  };
}
