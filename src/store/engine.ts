/** What an engine brings: a Kysely dialect and the few things that SQL says differently from one database to the next. */
import type { CreateTableBuilder, Kysely, RawBuilder, SelectQueryBuilder, Transaction } from "kysely";
import type { Hub } from "./hub.ts";
import type { Schema } from "./schema.ts";

export interface Engine {
  readonly kysely: Kysely<Schema>;
  /**
   * Adds the column `seq`: the primary key, given by the database, never used twice. Readers go on from the last `seq`
   * they saw, so it must become visible in order: an engine with many writers has to serialise those of one stream.
   */
  sequence<T extends string, C extends string>(
    table: CreateTableBuilder<T, C>,
  ): CreateTableBuilder<T, C | "seq">;
  /** The pairs as a table `(topic, after)`, in one parameter however many there are. */
  positions(
    pairs: readonly (readonly [topic: string, after: number])[],
  ): RawBuilder<{ topic: string; after: number }>;
  /** Keeps two claims from looking at one row (`for update skip locked`); nothing where there is one writer. */
  lockForClaim<O>(query: SelectQueryBuilder<Schema, "leases", O>): SelectQueryBuilder<Schema, "leases", O>;
  /** A number that changes when another connection has committed; null when there can be no other connection. */
  readonly foreignVersion: (() => number) | null;
  /** Waits for the statement that is running. Later calls throw store_failed. */
  close(): Promise<void>;
}

/** One writing transaction. What it touched is told to those who wait once it is committed, never before. */
export interface Tx {
  readonly db: Transaction<Schema>;
  /** Unix milliseconds, read after the transaction had the lock. */
  readonly now: number;
  wakeTopic(topic: string): void;
  wakeTask(taskId: string): void;
}

export interface Database {
  readonly engine: Engine;
  readonly hub: Hub;
  /** For single statements that read. */
  readonly db: Kysely<Schema>;
  readonly now: () => number;
  /** All or nothing; throws store_failed, and whatever `work` throws. */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

export function createDatabase(engine: Engine, hub: Hub, now: () => number): Database {
  return {
    engine,
    hub,
    db: engine.kysely,
    now,
    async write(work) {
      const topics = new Set<string>();
      const tasks = new Set<string>();
      const result = await engine.kysely.transaction().execute((db) =>
        work({
          db,
          now: now(),
          wakeTopic: (topic) => void topics.add(topic),
          wakeTask: (taskId) => void tasks.add(taskId),
        }),
      );
      hub.notify(topics, tasks);
      return result;
    },
  };
}
