/** What a person sets up for a fleet, on a machine that has the team file and no clone. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { oxbow } from "../support/cli.ts";
import { makeFleet } from "../support/machines.ts";
import { withServer } from "../support/servers.ts";
import { runSql } from "../support/store-engines.ts";

await withServer("postgres", (postgres) => {
  it("makes tokens and webhooks of a fleet where there is no clone", async () => {
    using fleet = makeFleet();
    const bare = fleet.machine("bare", false);
    const team = ["--team", join(bare.dir, "team.yaml"), "--json"];
    const shared = { OXBOW_STORE_URL: postgres.url, OXBOW_WEBHOOK_ALLOW_PRIVATE: "true" };
    const env = { ...shared, ...bare.env };
    const hook = "http://127.0.0.1:9999/hook";
    try {
      // Away from the team file, as in a container.
      const cwd = join(bare.dir, "..");
      const made = await oxbow(["token", "create", "--name", "ci", ...team], { cwd, env });
      expect([made.code, made.stderr]).toEqual([0, ""]);
      const added = await oxbow(["webhook", "add", hook, ...team], { cwd, env });
      expect([added.code, added.stderr]).toEqual([0, ""]);
      const seen = async (...args: string[]) =>
        JSON.parse((await oxbow([...args, "--json"], { cwd: fleet.shop.dir, env: shared })).stdout);
      expect(await seen("token", "list")).toMatchObject([{ name: "ci" }]);
      expect(await seen("webhook", "list")).toMatchObject([{ url: "http://127.0.0.1:9999/…" }]);
    } finally {
      await runSql(postgres, `drop schema if exists ${fleet.schema} cascade`);
    }
  }, 60_000);
});
