import { withServer } from "../support/servers.ts";
import { inSchema, runSql } from "../support/store-engines.ts";
import { describeWorkers } from "../support/worker-suite.ts";

describeWorkers("SQLite", () => Promise.resolve({ env: {}, [Symbol.asyncDispose]: () => Promise.resolve() }));

await withServer("postgres", (server) => {
  let made = 0;
  describeWorkers("Postgres", () => {
    const schema = `${server.name}_${++made}`;
    return Promise.resolve({
      env: { OXBOW_STORE_URL: inSchema(server, schema) },
      async [Symbol.asyncDispose]() {
        await runSql(server, `drop schema if exists ${schema} cascade`);
      },
    });
  });
});
