import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf } from "../support/cli.ts";
import { ownServer, withServer } from "../support/servers.ts";
import { makeShop } from "../support/shop.ts";

const SHOUT = `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "// seen\\n")' {paths}`;

await withServer("redis", (server) => {
  describe("oxbow with a Redis", () => {
    it("runs a team to its end, hears its signals, and tells no password", async () => {
      using shop = makeShop();
      const [cwd, env] = [shop.dir, { REDIS_URL: server.url }];
      const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];
      const ended = await oxbow(args, { cwd, env });
      const report = reportOf(ended);
      expect([ended.code, report.state]).toEqual([0, "completed"]);
      for (const { conversation_id } of report.children) {
        const topic = `signal:${conversation_id}:done`;
        const heard = await oxbow(["signal", "wait", topic, "--timeout-ms", "0", "--json"], { cwd, env });
        expect(heard.lines[0]).toMatchObject({ ok: true, message: { outcome: "completed" } });
      }
      const doctor = await oxbow(["doctor", "--json"], { cwd, env });
      const rows: { check: string; state: string; found: string }[] = JSON.parse(doctor.stdout);
      expect(rows.find(({ check }) => check === "signals")).toMatchObject({
        state: "ok",
        found: expect.stringMatching(/^Redis [\d.]+ at /),
      });
      const settings = await oxbow(["env", "--json"], { cwd, env });
      expect(settings.stdout).toMatch(/"REDIS_URL"/);
      const { password } = new URL(server.url);
      if (password !== "") expect(`${doctor.stdout}${settings.stdout}${ended.stdout}`).not.toMatch(password);
    });

    it.runIf(server.own)(
      "sends a signal from one process to another that waits, and forgets none when the Redis begins anew",
      async () => {
        await using redis = await ownServer("redis", ["--appendonly", "no"]);
        using shop = makeShop();
        const [cwd, env] = [shop.dir, { REDIS_URL: redis.url, OXBOW_REDIS_ALLOW_VOLATILE: "1" }];
        const waiting = oxbow(["signal", "wait", "build", "--timeout-ms", "20000", "--json"], { cwd, env });
        const sent = await oxbow(["signal", "send", "build", '{"ok":true}', "--json"], { cwd, env });
        expect(sent.code).toBe(0);
        expect((await waiting).lines[0]).toMatchObject({ ok: true, message: { ok: true } });
        await redis.order("kill");
        await redis.order("start");
        const again = await oxbow(["signal", "wait", "build", "--timeout-ms", "0", "--json"], { cwd, env });
        expect(again.lines[0]).toEqual((await waiting).lines[0]);
      },
    );

    it("says what is wrong and what to do when the Redis is not there", async () => {
      using shop = makeShop();
      const [cwd, env] = [shop.dir, { REDIS_URL: "redis://:secret-word@127.0.0.1:1" }];
      const ended = await oxbow(["status", "--json"], { cwd, env });
      const error = errorOf(ended);
      expect([ended.code, error.code]).toEqual([70, "redis_failed"]);
      expect([error.message, error.hint]).toEqual([
        expect.stringMatching(/127\.0\.0\.1:1 .*ECONNREFUSED/),
        expect.stringMatching(/REDIS_URL/),
      ]);
      const doctor = await oxbow(["doctor", "--json"], { cwd, env });
      const rows: { check: string; state: string }[] = JSON.parse(doctor.stdout);
      expect(rows.filter(({ state }) => state === "error").map(({ check }) => check)).toEqual(["signals"]);
      expect(`${ended.stdout}${ended.stderr}${doctor.stdout}`).not.toMatch("secret-word");
      const wrong = await oxbow(["env"], { cwd, env: { REDIS_URL: "http://:secret-word@h" } });
      expect([wrong.code, wrong.stderr]).toEqual([
        2,
        expect.stringMatching(/REDIS_URL is .* must be redis:/),
      ]);
      expect(wrong.stderr).not.toMatch("secret-word");
    });
  });
});
