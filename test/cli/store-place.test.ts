import { renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

describe("a store that OXBOW_STORE_URL names", () => {
  it("holds the tasks of one repository, also when that has moved, and of no other", async () => {
    using one = makeShop();
    using two = makeShop();
    const env = { OXBOW_STORE_URL: `sqlite:${join(two.dir, ".git", "tasks.db")}` };
    const run = ["run", "See", "--by", "owner", "--command", "true {paths}", "--json"];
    expect((await oxbow(run, { cwd: one.dir, env })).code).toBe(0);
    for (const args of [["status", "--json"], run]) {
      const refused = await oxbow(args, { cwd: two.dir, env });
      expect([refused.code, errorOf(refused)]).toMatchObject([
        2,
        { code: "setting_invalid", message: expect.stringContaining(`(${one.dir}/.git)`) },
      ]);
    }
    const moved = join(two.dir, ".git", "moved");
    renameSync(one.dir, moved);
    expect(JSON.parse((await oxbow(["status", "--json"], { cwd: moved, env })).stdout)).toHaveLength(1);
  });
});
