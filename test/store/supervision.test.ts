import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeSupervision } from "./describe-supervision.ts";

describeSupervision("SQLite in a file", sqliteFile);

await withServer("postgres", (server) => describeSupervision("Postgres", emptySchemas(server)));
