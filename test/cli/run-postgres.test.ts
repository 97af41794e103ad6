import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isAlive } from "../../src/host/process.ts";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { ownServer, withServer } from "../support/servers.ts";
import { makeShop } from "../support/shop.ts";
import { runSql } from "../support/store-engines.ts";

/** A program for `--command`: the given JavaScript, with the paths as `files`. */
function program(body: string): string {
  return `node -e 'const fs = require("fs"); const files = process.argv.slice(1); ${body}' {paths}`;
}
const SHOUT = program('for (const f of files) fs.appendFileSync(f, "// seen\\n");');

await withServer("postgres", (server) => {
  const env = { OXBOW_STORE_URL: server.url };
  const password = new URL(server.url).password;
  const made = new Set<string>();

  /** The schema that `oxbow doctor` names. */
  async function schemaOf(cwd: string): Promise<string> {
    const { stdout } = await oxbow(["doctor", "--json"], { cwd, env });
    const rows: { check: string; state: string; found: string }[] = JSON.parse(stdout);
    const store = rows.find((row) => row.check === "store");
    expect(store?.state).toBe("ok");
    const [, schema = ""] = / in postgres:.*\(schema (\w+)\)$/.exec(store?.found ?? "") ?? [];
    expect(schema).toMatch(/^oxbow_[0-9a-f]{12}$/);
    made.add(schema);
    return schema;
  }

  afterAll(async () => {
    for (const schema of made) await runSql(server, `drop schema ${schema} cascade`);
  });

  describe("oxbow on Postgres", () => {
    it("runs a team to its end, keeps nothing of the state in a file, and tells no password", async () => {
      using shop = makeShop();
      const before = shop.fingerprint();
      const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];
      const ended = await oxbow(args, { cwd: shop.dir, env });
      const report = reportOf(ended);
      expect([ended.code, report.state]).toEqual([0, "completed"]);
      expect(report.children.map((child: any) => [child.agent, child.outcome, child.merged])).toEqual([
        ["Api", "completed", true],
        ["Docs", "completed", true],
        ["Web", "completed", true],
      ]);
      expect(shop.at("integration/7", "src/api/users.js")).toBe("export const users = [];\n// seen\n");
      expect(shop.fingerprint()).toBe(before);
      const topic = `signal:${report.children[0].conversation_id}:done`;
      const signal = await oxbow(["signal", "wait", topic, "--timeout-ms", "0", "--json"], {
        cwd: shop.dir,
        env,
      });
      expect(signal.lines[0]).toMatchObject({ ok: true, message: { outcome: "completed" } });
      const [status] = JSON.parse((await oxbow(["status", "--json"], { cwd: shop.dir, env })).stdout);
      expect(status.task).toMatchObject({ state: "completed", ticket: "7" });
      const schema = await schemaOf(shop.dir);
      const tables = await runSql(server, `select count(*) as n from ${schema}.outcomes`);
      expect(Number(tables[0]?.["n"])).toBe(3);
      const shown = await oxbow(["env"], { cwd: shop.dir, env });
      expect(shown.stdout).toMatch(/OXBOW_STORE_URL\s+postgres:\/\/\*\*\*@127\.0\.0\.1/);
      const log = readFileSync(join(shop.dir, ".git/oxbow/logs/orchestrator.log"), "utf8");
      for (const text of [ended.stdout, ended.stderr, shown.stdout, log])
        expect(text).not.toContain(password || "no password");
      expect(readdirSync(join(shop.dir, ".git/oxbow")).filter((name) => name.endsWith(".db"))).toEqual([]);
      expect(readFileSync(join(shop.dir, ".git/oxbow/store-id"), "utf8")).toMatch(/^[0-9a-f]{32}\n$/);
    });

    it("keeps repositories apart that share a database, also a copy of one", async () => {
      using one = makeShop();
      using two = makeShop();
      const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];
      const runs = await Promise.all([one, two].map((shop) => oxbow(args, { cwd: shop.dir, env })));
      expect(runs.map((ended) => reportOf(ended).state)).toEqual(["completed", "completed"]);
      const schemas = [await schemaOf(one.dir), await schemaOf(two.dir)];
      expect(new Set(schemas).size).toBe(2);
      const copy = join(two.dir, ".git", "copy");
      one.git("clone", "--quiet", ".", copy);
      one.git("-C", copy, "config", "user.email", "ada@example.com");
      await schemaOf(copy);
      writeFileSync(join(copy, ".git/oxbow/store-id"), readFileSync(join(one.dir, ".git/oxbow/store-id")));
      expect(JSON.parse((await oxbow(["status", "--json"], { cwd: copy, env })).stdout)).toEqual([]);
      expect(schemas).not.toContain(await schemaOf(copy));
      const taken = { OXBOW_STORE_URL: `${server.url}?schema=${schemas[0]}` };
      const refused = await oxbow(["status", "--json"], { cwd: two.dir, env: taken });
      expect(errorOf(refused)).toMatchObject({
        code: "setting_invalid",
        message: expect.stringContaining(`another repository (${one.dir}/.git)`),
      });
      const named = { OXBOW_STORE_URL: `${server.url}?schema=${schemas[0]}` };
      expect(JSON.parse((await oxbow(["status", "--json"], { cwd: copy, env: named })).stdout)).toHaveLength(
        1,
      );
    });

    it("goes on with --resume after kill -9, and gives each child one outcome and one signal", async () => {
      using shop = makeShop();
      const gate = join(shop.dir, ".git", "gate");
      const seesAll = { ...env, TERMINAL_SANDBOX: "off" };
      const wait = program(
        `console.log(process.pid); const go = () => fs.existsSync(${JSON.stringify(gate)}) ? files.forEach((f) => fs.appendFileSync(f, "//\\n")) : setTimeout(go, 20); go();`,
      );
      const running = startOxbow(
        ["run", "Die", "--by", "owner", "--ticket", "6", "--command", wait, "--json"],
        { cwd: shop.dir, env: seesAll },
      );
      const { task_id, text } = await running.line((line) => line.event === "command_output");
      running.kill("SIGKILL");
      await running.ended;
      const again = startOxbow(["run", "--resume", task_id, "--json"], { cwd: shop.dir, env: seesAll });
      await again.line((line) => line.event === "command_output");
      expect(isAlive(Number(text)), "the first program outlived its worker").toBe(false);
      shop.write(".git/gate", "");
      const ended = await again.ended;
      const report = reportOf(ended);
      expect([ended.code, report.state]).toEqual([0, "completed"]);
      expect(report.children.map((child: any) => [child.agent, child.outcome, child.merged])).toEqual([
        ["Api", "completed", true],
        ["Docs", "completed", true],
        ["Web", "completed", true],
      ]);
      expect(shop.at("integration/6", "src/api/users.js")).toBe("export const users = [];\n//\n");
      const schema = await schemaOf(shop.dir);
      const outcomes = await runSql(server, `select outcome, attempt from ${schema}.outcomes`);
      expect(outcomes.map((row) => row["outcome"])).toEqual(["completed", "completed", "completed"]);
      const signals = await runSql(
        server,
        `select topic from ${schema}.topic_entries where topic like 'signal:%:done'`,
      );
      expect(new Set(signals.map((row) => row["topic"])).size).toBe(3);
      expect(signals).toHaveLength(3);
    });

    it.runIf(server.own)(
      "waits for the server while it is started again, and loses nothing of a run",
      async () => {
        await using own = await ownServer("postgres");
        using shop = makeShop();
        const gate = join(shop.dir, ".git", "gate");
        const wait = program(
          `console.log(1); const go = () => fs.existsSync(${JSON.stringify(gate)}) ? files.forEach((f) => fs.appendFileSync(f, "//\\n")) : setTimeout(go, 20); go();`,
        );
        const args = ["run", "Wait", "--by", "owner", "--ticket", "8", "--command", wait, "--json"];
        const running = startOxbow(args, {
          cwd: shop.dir,
          env: { OXBOW_STORE_URL: own.url, TERMINAL_SANDBOX: "off" },
        });
        await running.line((line) => line.event === "command_output");
        await own.order("kill");
        // All programs end, and what they came to has to wait.
        shop.write(".git/gate", "");
        await own.order("start");
        const ended = await running.ended;
        const report = reportOf(ended);
        expect([ended.code, report.state]).toEqual([0, "completed"]);
        expect(report.children.map((child: any) => child.merged)).toEqual([true, true, true]);
        const [{ schema = "" } = {}] = await runSql(
          own,
          "select nspname as schema from pg_namespace where nspname like 'oxbow%'",
        );
        const outcomes = await runSql(own, `select outcome from ${String(schema)}.outcomes`);
        expect(outcomes).toHaveLength(3);
      },
    );

    it.runIf(server.own).each([
      [
        "a wrong password",
        (url: URL) => void (url.password = "secret-wrong"),
        /refused the user or the password/,
      ],
      ["no such database", (url: URL) => void (url.pathname = "/nowhere"), /has no such database/],
      ["nobody there", (url: URL) => void (url.port = "1"), /cannot be reached: .*ECONNREFUSED/],
      ["a host that does not exist", (url: URL) => void (url.hostname = "db.invalid"), /cannot be reached/],
    ])("says what is wrong and what to do: %s", async (_what, change, says) => {
      using shop = makeShop();
      const url = new URL(server.url);
      change(url);
      const broken = { OXBOW_STORE_URL: url.href };
      const ended = await oxbow(["status", "--json"], { cwd: shop.dir, env: broken });
      const error = errorOf(ended);
      expect([ended.code, error.code]).toEqual([70, "store_failed"]);
      expect(error.message).toMatch(says);
      expect(error.hint).toMatch(/OXBOW_STORE_URL/);
      expect(`${ended.stdout}${ended.stderr}`).not.toMatch(new RegExp(`${password}|secret-wrong`));
      const { stdout } = await oxbow(["doctor", "--json"], { cwd: shop.dir, env: broken });
      expect(stdout).toMatch(says);
      expect(stdout).not.toMatch(new RegExp(`${password}|secret-wrong`));
    });
  });
});
