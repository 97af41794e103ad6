/** A conversation goes on in another worker over servers, in the other wire format, and without a secret in its rows. */
import { describe, expect, it } from "vitest";
import { oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { type TestServer, withServer } from "../support/servers.ts";
import { makeShop } from "../support/shop.ts";
import { CHILDREN, HANDS_OUT } from "../support/split-script.ts";
import { inSchema, runSql } from "../support/store-engines.ts";
import { startWorkers } from "../support/workers.ts";

const SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
const found: TestServer[] = [];
await withServer("redis", (redis) => void found.push(redis));

for (const redis of found) {
  await withServer("postgres", (postgres) => {
    describe("a conversation on Postgres with Redis", () => {
      it("goes on in another worker with all that was said, once, and keeps no secret", async () => {
        const schema = `${postgres.name}_talk`;
        using shop = makeShop({ files: { "src/api/config.js": `export const token = "${SECRET}";\n` } });
        let first = true;
        const api: ScriptedReply[] = [
          { calls: [{ name: "read_file", arguments: { path: "src/api/config.js" } }] },
          { calls: [{ name: "write_file", arguments: { path: "src/api/one.js", content: "1\n" } }] },
          () => (first ? { hang: true } : { text: "Read and written." }),
        ];
        await using server = await startModelServer(
          scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }),
        );
        const env = {
          OPENAI_BASE_URL: server.url,
          OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
          OXBOW_STORE_URL: inSchema(postgres, schema),
          REDIS_URL: redis.url,
          OXBOW_REDIS_ALLOW_VOLATILE: "1",
        };
        try {
          await using workers = await startWorkers(2, shop, env, ["--concurrency", "2"]);
          const running = startOxbow(
            ["run", "Add ids", "--ticket", "146", "--provider", "openai_chat", "--workers", "only", "--json"],
            { cwd: shop.dir, env },
          );
          const asked = () => server.requests.filter((request) => request.agent === "Api");
          while (asked().length < 3) await server.received(server.requests.length + 1);
          first = false;
          (await workers.takerOf("Api")).kill("SIGKILL");
          const ended = await running.ended;
          const child = reportOf(ended)["children"].find((each: any) => each.agent === "Api");
          expect([ended.code, child.outcome, child.summary]).toEqual([0, "completed", "Read and written."]);
          expect(asked()).toHaveLength(4);
          expect(asked()[3]?.turn).toBe(3);
          const calls = (index: number) =>
            JSON.stringify(asked()[index]?.body["messages"]).match(/"tool_call_id":"[^"]+"/g);
          expect(calls(3)).toEqual(calls(2));
          expect(asked()[2]?.raw).toContain(SECRET);
          const rows = await runSql(postgres, `select entry from ${schema}.transcripts`);
          expect(rows.length).toBeGreaterThan(4);
          expect(JSON.stringify(rows)).not.toContain(SECRET);
          const agents = await oxbow(["status", "146", "--agents", "--json"], { cwd: shop.dir, env });
          expect(JSON.parse(agents.stdout)).toContainEqual(
            expect.objectContaining({ agent: "Api", state: "idle", crashes: 1 }),
          );
        } finally {
          await runSql(postgres, `drop schema if exists ${schema} cascade`);
        }
      }, 60_000);
    });
  });
}
