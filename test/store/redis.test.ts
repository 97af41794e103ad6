import { postgresSchema, sqliteFile } from "../support/store-engines.ts";
import { type TestServer, withServer } from "../support/servers.ts";
import { describeProcesses } from "./describe-processes.ts";
import { describeQueue } from "./describe-queue.ts";
import { describeStore } from "./describe-store.ts";
import { describeTopics } from "./describe-topics.ts";

const found: TestServer[] = [];

await withServer("redis", (redis) => {
  found.push(redis);
  const open = () => sqliteFile(redis.url);
  describeTopics("Redis beside SQLite", open);
  describeStore("SQLite with Redis", open);
  describeQueue("SQLite with Redis", open);
  describeProcesses("one SQLite file with Redis", open);
});

for (const redis of found) {
  await withServer("postgres", (server) => {
    const open = postgresSchema(server, redis.url);
    describeTopics("Redis beside Postgres", open);
    describeStore("Postgres with Redis", open);
  });
}
