import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeSchedules } from "./describe-schedules.ts";

describeSchedules("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeSchedules("Postgres", emptySchemas(server)));
