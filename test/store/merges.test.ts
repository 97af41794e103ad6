import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describeMerges } from "./describe-merges.ts";

describeMerges("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeMerges("Postgres", emptySchemas(server)));
