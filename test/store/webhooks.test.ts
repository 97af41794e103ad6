import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeWebhooks } from "./describe-webhooks.ts";

describeWebhooks("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeWebhooks("Postgres", emptySchemas(server)));
