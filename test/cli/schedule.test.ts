/** `schedule:` as a person meets it: two workers in processes of their own, and the commands. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";
import { startWorkers } from "../support/workers.ts";

const APPENDS = `const fs = require("fs"); for (const f of process.argv.slice(1)) fs.appendFileSync(f, "tidy")`;
const TEAM = SHOP_TEAM.replace(
  "  - name: Api\n",
  `  - name: Api\n    runtime: command\n    command: [node, -e, ${JSON.stringify(APPENDS)}, "{paths}"]\n`,
);

describe("oxbow schedule", () => {
  it("is fired by one of two workers: one signal, one task, done and merged", async () => {
    using shop = makeShop({ team: `${TEAM}schedule:\n  Api: { at: 2020-01-01, task: Tidy }\n` });
    const seesAll = { TERMINAL_SANDBOX: "off" };
    await using workers = await startWorkers(2, shop, seesAll);
    const at = new Date(Date.now() + 1_500).toISOString();
    const id = `cron-Api-${at.replace(".000Z", "Z").replace(/[-:.]/g, "")}`;
    writeFileSync(
      join(shop.dir, "team.yaml"),
      `${TEAM}schedule:\n  Api: { at: "${at}", tz: Europe/Berlin, task: Tidy }\n`,
    );
    const [one, other] = workers.all.map((each) =>
      each.line((line) => line["event"] === "task_ended" && line["task_id"] === id),
    );
    expect(await Promise.any([one, other])).toMatchObject({ state: "completed" });
    const status = await oxbow(["status", "--json"], { cwd: shop.dir });
    expect(JSON.parse(status.stdout).map((each: any) => [each.task.task_id, each.subtasks.length])).toEqual([
      [id, 1],
    ]);
    expect(shop.at(`integration/${id}`, "src/api/users.js")).toBe("export const users = [];\ntidy");
    const wait = ["signal", "wait", "cron.Api", "--timeout-ms", "0", "--json"];
    const first = await oxbow(wait, { cwd: shop.dir });
    expect(first.lines[0]).toMatchObject({ message: { agent: "Api", due_at: at, task_id: id } });
    const second = await oxbow([...wait, "--last-id", first.lines[0]?.["message_id"]], { cwd: shop.dir });
    expect(second.code).toBe(1);
    const list = await oxbow(["schedule", "list", "--json"], { cwd: shop.dir });
    expect(JSON.parse(list.stdout)).toMatchObject([
      { agent: "Api", next_at: null, last_due_at: at, last_task: id, pending: false, workers: 2 },
    ]);
    for (const each of workers.all) each.kill("SIGTERM");
    const ended = await Promise.all(workers.all.map((each) => each.ended));
    const fired = ended.flatMap((each) => each.lines.filter((line) => line["event"] === "schedule_fired"));
    expect(fired).toMatchObject([{ agent: "Api", task: id }]);
  });

  it("lists what will come without a worker, and fires by hand", async () => {
    using shop = makeShop({
      team: `${TEAM}schedule:\n  Api: { cron: "0 6 * * *", tz: Europe/Berlin }\n  Web: { at: 2020-01-01 }\n`,
    });
    const list = () => oxbow(["schedule", "list"], { cwd: shop.dir });
    const before = await list();
    expect(before.stdout).toMatch(
      /^Api {2}0 6 \* \* \* \(Europe\/Berlin\) {2}next \d{4}-\d\d-\d\d 06:00:00 CES?T, once a worker has read it/,
    );
    expect(before.stdout).toContain("was 2020-01-01 00:00:00 UTC");
    expect(before.stdout).toContain("No worker is live, so nothing fires");
    const run = await oxbow(["schedule", "run", "Api", "--json"], { cwd: shop.dir });
    expect([run.code, run.lines[0]]).toMatchObject([0, { agent: "Api", topic: "cron.Api", task_id: null }]);
    const heard = await oxbow(["signal", "wait", "cron.Api", "--json"], { cwd: shop.dir });
    expect(heard.lines[0]).toMatchObject({ ok: true, message: { due_at: run.lines[0]?.["due_at"] } });
    expect((await list()).stdout).toMatch(/^Api .* next .* last \d{4}-/);
    const nobody = await oxbow(["schedule", "run", "Docs", "--json"], { cwd: shop.dir });
    expect([nobody.code, errorOf(nobody)]).toMatchObject([
      2,
      { code: "usage", hint: "There are entries for Api, Web." },
    ]);
  });

  it("refuses a schedule that is wrong before anything is made, with its place", async () => {
    using shop = makeShop({ team: `${TEAM}schedule:\n  Api: { cron: "0 25 * * *" }\n` });
    const refused = await oxbow(["worker", "--json"], { cwd: shop.dir });
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ code: "team_config" });
    expect(errorOf(refused).message).toMatch(
      /team\.yaml:\d+:16: schedule\.Api\.cron: hour: 25 is not within 0 to 23$/,
    );
  });
});
