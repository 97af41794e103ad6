/** What an engine brings: a Kysely dialect and the few things that SQL says differently from one database to the next. */
import type {
  CreateTableBuilder,
  Kysely,
  RawBuilder,
  Selectable,
  SelectQueryBuilder,
  Transaction,
} from "kysely";
import type { EventBody } from "../core/events.ts";
import type { Hub } from "./hub.ts";
import type { WatchOthers } from "./poller.ts";
import type { Schema, TopicEntryRow } from "./schema.ts";

/**
 * Which writers wait for one another. `state`: one at a time over all processes, so that what a transaction reads
 * before it writes still holds, and the `seq` of every stream grows in the order of the commits. `topics`: the same for
 * the entries of topics alone. `own`: for single statements on rows that are the caller's own, or guarded by their WHERE.
 */
export type Lane = "state" | "topics" | "own";

export interface Engine {
  readonly kysely: Kysely<Schema>;
  /** Where the store is, when a copy of it at another place is another store; null when it has one place only. */
  readonly place: string | null;
  /**
   * Runs `work` in one transaction of the lane and commits it. Where a database may refuse a transaction for the sake of
   * others, or the connection was lost before the commit, `work` is run again in a new one.
   */
  transact<T>(lane: Lane, work: (db: Transaction<Schema>) => Promise<T>): Promise<T>;
  /** Unix milliseconds: of the database where processes of many machines meet in it. */
  now(): number;
  /** The version the schema is known to have, without a transaction; null where only a transaction can tell. */
  schemaVersion(): Promise<number | null>;
  /** Within the transaction that migrates, before anything else; returns what to migrate with. */
  beforeMigrating(db: Transaction<Schema>): Promise<Transaction<Schema>>;
  /**
   * Adds the column `seq`: the primary key, given by the database, never used twice. Readers go on from the last `seq`
   * they saw, so it must become visible in order: writers of a stream are in one lane.
   */
  sequence<T extends string, C extends string>(
    table: CreateTableBuilder<T, C>,
  ): CreateTableBuilder<T, C | "seq">;
  /**
   * The entries of each topic after its position, of each at least the first `limit`, in no order. The database goes from
   * the positions to the entries whatever it believes of the tables, in a fixed number of parameters.
   */
  entriesAfter(
    positions: readonly (readonly [topic: string, after: number])[],
    limit: number,
  ): RawBuilder<Selectable<TopicEntryRow>>;
  /** Keeps two claims, or a claim and a renewal, from taking one row (`for update skip locked`); nothing where there is one writer. */
  lockForClaim<O>(query: SelectQueryBuilder<Schema, "leases", O>): SelectQueryBuilder<Schema, "leases", O>;
  /** How commits of other connections are noticed; null when there can be no other connection. */
  readonly watchOthers: WatchOthers | null;
  /** Tells the stores of other processes what was committed, as far as they do not see it themselves. */
  tellOthers(topics: readonly string[], tasks: readonly string[]): void;
  /** Gives free room back to the system; false when that cannot be done just now. */
  compact(): Promise<boolean>;
  /** Waits for what is running. Later calls throw store_failed. */
  close(): Promise<void>;
}

/** One writing transaction. What it touched is told to those who wait once it is committed, never before. */
export interface Tx {
  readonly db: Transaction<Schema>;
  /** Unix milliseconds, read after the transaction had the lock. */
  readonly now: number;
  /** The JSON of an event, without what must not be kept. */
  cleanEvent(event: EventBody, json: string): string;
  wakeTopic(topic: string): void;
  wakeTask(taskId: string): void;
}

export interface Database {
  readonly engine: Engine;
  readonly hub: Hub;
  /** For single statements that read. */
  readonly db: Kysely<Schema>;
  readonly now: () => number;
  /**
   * All or nothing; throws store_failed, and whatever `work` throws. `work` may run more than once: it changes nothing
   * but the database.
   */
  write<T>(work: (tx: Tx) => Promise<T>, lane?: Lane): Promise<T>;
}

export type CleanEvent = Tx["cleanEvent"];

export function createDatabase(
  engine: Engine,
  hub: Hub,
  now: () => number,
  cleanEvent: CleanEvent = (_event, json) => json,
): Database {
  return {
    engine,
    hub,
    db: engine.kysely,
    now,
    async write(work, lane = "state") {
      const topics = new Set<string>();
      const tasks = new Set<string>();
      const result = await engine.transact(lane, (db) => {
        topics.clear();
        tasks.clear();
        return work({
          db,
          now: now(),
          cleanEvent,
          wakeTopic: (topic) => void topics.add(topic),
          wakeTask: (taskId) => void tasks.add(taskId),
        });
      });
      hub.notify(topics, tasks);
      if (topics.size > 0 || tasks.size > 0) engine.tellOthers([...topics], [...tasks]);
      return result;
    },
  };
}
