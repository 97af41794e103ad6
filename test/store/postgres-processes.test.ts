import { postgresSchema } from "../support/store-engines.ts";
import { withServer } from "../support/servers.ts";
import { describeProcesses } from "./describe-processes.ts";

await withServer("postgres", (server) => describeProcesses("one Postgres", postgresSchema(server)));
