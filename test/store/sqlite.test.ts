import { sqliteFile, sqliteMemory } from "../support/store-engines.ts";
import { describeFleet } from "./describe-fleet.ts";
import { describeQueue } from "./describe-queue.ts";
import { describeStore } from "./describe-store.ts";
import { describeTalk } from "./describe-talk.ts";
import { describeTopics } from "./describe-topics.ts";

describeStore("SQLite in a file", sqliteFile);
describeTopics("SQLite in a file", sqliteFile);
describeQueue("SQLite in a file", sqliteFile);
describeFleet("SQLite in a file", sqliteFile);
describeTalk("SQLite in a file", sqliteFile);

describeStore("SQLite in memory", sqliteMemory);
describeTopics("SQLite in memory", sqliteMemory);
describeQueue("SQLite in memory", sqliteMemory);
describeFleet("SQLite in memory", sqliteMemory);
describeTalk("SQLite in memory", sqliteMemory);
