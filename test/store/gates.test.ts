import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeGates } from "./describe-gates.ts";

describeGates("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeGates("Postgres", emptySchemas(server)));
