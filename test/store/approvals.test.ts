import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeApprovals } from "./describe-approvals.ts";

describeApprovals("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeApprovals("Postgres", emptySchemas(server)));
