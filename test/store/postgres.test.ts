import { emptySchemas } from "../support/store-engines.ts";
import { withServer } from "../support/servers.ts";
import { describeFleet } from "./describe-fleet.ts";
import { describeQueue } from "./describe-queue.ts";
import { describeStore } from "./describe-store.ts";
import { describeTalk } from "./describe-talk.ts";
import { describeTopics } from "./describe-topics.ts";

await withServer("postgres", (server) => {
  const open = emptySchemas(server);
  describeStore("Postgres", open);
  describeTopics("Postgres", open);
  describeQueue("Postgres", open);
  describeFleet("Postgres", open);
  describeTalk("Postgres", open);
});
