import { postgresSchema } from "../support/store-engines.ts";
import { withServer } from "../support/servers.ts";
import { describeQueue } from "./describe-queue.ts";
import { describeStore } from "./describe-store.ts";
import { describeTopics } from "./describe-topics.ts";

await withServer("postgres", (server) => {
  const open = postgresSchema(server);
  describeStore("Postgres", open);
  describeTopics("Postgres", open);
  describeQueue("Postgres", open);
});
