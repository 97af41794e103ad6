import { type TestServer, withServer } from "../support/servers.ts";
import { inSchema, runSql } from "../support/store-engines.ts";
import { describeWorkers } from "../support/worker-suite.ts";

const found: TestServer[] = [];
await withServer("redis", (redis) => void found.push(redis));

for (const redis of found) {
  await withServer("postgres", (server) => {
    let made = 0;
    describeWorkers("Postgres with Redis", () => {
      const schema = `${server.name}_${++made}`;
      return Promise.resolve({
        env: { OXBOW_STORE_URL: inSchema(server, schema), REDIS_URL: redis.url },
        async [Symbol.asyncDispose]() {
          await runSql(server, `drop schema if exists ${schema} cascade`);
        },
      });
    });
  });
}
