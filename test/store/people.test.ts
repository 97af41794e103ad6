import { withServer } from "../support/servers.ts";
import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { describePeople } from "./describe-people.ts";

describePeople("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describePeople("Postgres", emptySchemas(server)));
