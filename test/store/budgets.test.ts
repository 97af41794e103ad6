import { emptySchemas, sqliteFile } from "../support/store-engines.ts";
import { withServer } from "../support/servers.ts";
import { describeBudgets } from "./describe-budgets.ts";

describeBudgets("SQLite in a file", sqliteFile);

await withServer("postgres", (server) => describeBudgets("Postgres", emptySchemas(server)));
