/** What is done to the servers under a run. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Kept } from "../support/servers-keep.ts";
import { runSql } from "../support/store-sql.ts";

export const SERVER_FAULTS = [
  "redis.kill",
  "redis.empty",
  "redis.flush",
  "redis.cut",
  "postgres.kill",
  "postgres.stop",
  "postgres.cut",
] as const;
export type ServerFault = (typeof SERVER_FAULTS)[number];

/** Null: SQLite alone. */
export type KeptServers = { readonly postgres: Kept; readonly redis: Kept } | null;

export async function strikeServer(fault: ServerFault, kept: NonNullable<KeptServers>): Promise<void> {
  const { postgres, redis } = kept;
  switch (fault) {
    case "postgres.kill":
    case "postgres.stop":
      await postgres.order(fault === "postgres.kill" ? "kill" : "stop");
      return postgres.order("start");
    case "postgres.cut": {
      const others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()";
      await runSql({ url: postgres.said.url ?? "" }, `${others} and backend_type = 'client backend'`);
      return;
    }
    case "redis.kill":
    case "redis.empty":
      await redis.order("kill");
      if (fault === "redis.empty") removeData(redis.said.folder ?? "");
      return redis.order("start");
    case "redis.flush":
    case "redis.cut": {
      const client = new Redis(redis.said.url ?? "");
      if (fault === "redis.flush") await client.flushall();
      else await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      client.disconnect();
    }
  }
}

function removeData(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    if (/\.(?:rdb|aof|manifest)$/.test(name)) rmSync(join(folder, name), { force: true });
}
