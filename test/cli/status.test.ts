import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const TOUCH = `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "x\\n")' {paths}`;
const STRAY = `node -e 'require("fs").writeFileSync("stray.txt", "x\\n")'`;

const run = (shop: Shop, command: string, ticket: string) =>
  oxbow(["run", "Work", "--by", "owner", "--ticket", ticket, "--command", command, "--json"], {
    cwd: shop.dir,
  });
async function status(shop: Shop, ...args: string[]): Promise<any[]> {
  const ended = await oxbow(["status", ...args, "--json"], { cwd: shop.dir });
  if (ended.code !== 0) throw new Error(ended.stderr);
  return JSON.parse(ended.stdout);
}
const databases = (shop: Shop) =>
  readdirSync(join(shop.dir, ".git/oxbow"))
    .filter((name) => name.startsWith("oxbow.db"))
    .map((name) => join(shop.dir, ".git/oxbow", name));

describe("oxbow status", () => {
  it("says of each child what of its branch is not merged, and what it saved beside it", async () => {
    using shop = makeShop();
    await run(shop, TOUCH, "5");
    await run(shop, STRAY, "6");
    const [strayed, merged] = await status(shop);
    expect(merged).toMatchObject({ source: "rows", task: { ticket: "5", state: "completed" } });
    expect(merged.subtasks.map((each: any) => [each.unmerged, each.saved])).toEqual([
      [0, []],
      [0, []],
      [0, []],
    ]);
    for (const each of strayed.subtasks)
      expect(each).toMatchObject({ unmerged: 0, saved: [{ attempt: 1, commit: expect.any(String) }] });
    shop.git("branch", "--quiet", "-D", "integration/5");
    const [left] = await status(shop, "5");
    expect(left.subtasks.map((each: any) => each.unmerged)).toEqual([1, 1, 1]);
    const { stdout } = await oxbow(["status"], { cwd: shop.dir });
    expect(stdout).toContain("1 commit not merged");
    expect(stdout).toMatch(/attempt 1 saved [0-9a-f]{10}/);
  });

  it("shows tasks from the refs alone when the database is gone, or is none", async () => {
    using shop = makeShop();
    const { task_id } = reportOf(await run(shop, TOUCH, "5"));
    const before = await status(shop, "5");
    for (const file of databases(shop)) rmSync(file);
    const [task] = await status(shop);
    expect(task).toMatchObject({
      source: "refs",
      task: { task_id, ticket: "5", state: "unknown" },
      integration: { branch: "integration/5" },
    });
    const facts = ({ subtask_id, agent, branch, tip }: any) => ({ subtask_id, agent, branch, tip });
    expect(task.subtasks.map(facts)).toEqual(
      before[0].subtasks.map(facts).sort((a: any, b: any) => (a.subtask_id < b.subtask_id ? -1 : 1)),
    );
    expect((await status(shop, task_id))[0].task.task_id).toBe(task_id);
    const unknown = await oxbow(["status", "none", "--json"], { cwd: shop.dir });
    expect(errorOf(unknown).code).toBe("task_unknown");

    for (const file of databases(shop)) rmSync(file);
    writeFileSync(
      join(shop.dir, ".git/oxbow/oxbow.db"),
      "this is no database, but it is long enough to be one\n".repeat(99),
    );
    const broken = await oxbow(["status"], { cwd: shop.dir });
    expect([broken.code, broken.stdout.includes(`${task_id} (5) from the refs alone`)]).toEqual([70, true]);
    expect(broken.stderr).toContain("from the refs alone");
    const collected = await oxbow(["gc", "--yes", "--json"], { cwd: shop.dir });
    expect([collected.code, errorOf(collected).code]).toEqual([70, "store_failed"]);
  });
});
