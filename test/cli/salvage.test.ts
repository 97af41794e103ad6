import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const TOUCH = `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "x\\n")' {paths}`;
const STRAY = `node -e 'require("fs").writeFileSync("stray.txt", "x\\n")'`;
const FAIL = `node -e 'require("fs").writeFileSync("src/api/half.js", "half\\n"); process.exit(3)'`;
const ODD = `node -e 'const fs = require("fs"); fs.writeFileSync(Buffer.from([0x73, 0x72, 0x63, 0x2f, 0xff]), "x"); fs.writeFileSync("docs/new.md", "new\\n")'`;

const run = (shop: Shop, command: string, ticket = "5") =>
  oxbow(["run", "Work", "--by", "owner", "--ticket", ticket, "--command", command, "--json"], {
    cwd: shop.dir,
  });
async function salvage(shop: Shop, ...args: string[]): Promise<any> {
  const ended = await oxbow(["salvage", ...args, "--json"], { cwd: shop.dir });
  if (ended.code !== 0) throw new Error(ended.stderr);
  return JSON.parse(ended.stdout);
}
const forgetDatabase = (shop: Shop) => {
  const state = join(shop.dir, ".git/oxbow");
  for (const name of readdirSync(state).filter((each) => each.startsWith("oxbow.db")))
    rmSync(join(state, name));
};
const oneAgent = `team: Shop
lead: Api
agents:
  - { name: Api, allowed_paths: ["**"] }
`;

describe("oxbow salvage", () => {
  it("has nothing to list when all work is merged", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    expect(await salvage(shop)).toEqual([]);
    forgetDatabase(shop);
    expect(await salvage(shop, "list")).toEqual([]);
    const { stdout } = await oxbow(["salvage"], { cwd: shop.dir });
    expect(stdout).toBe("Nothing to salvage: all work of agents is merged.\n");
  });

  it("lists what was left out of a branch, says why, shows it, and makes a branch of it", async () => {
    using shop = makeShop();
    expect(reportOf(await run(shop, STRAY)).state).toBe("failed");
    const items = await salvage(shop);
    expect(items.map((each: any) => each.agent).sort()).toEqual(["Api", "Docs", "Web"]);
    const api = items.find((each: any) => each.agent === "Api");
    expect(api).toMatchObject({
      kind: "attempt",
      ticket: "5",
      attempt: 1,
      commits: 1,
      files: 1,
      where: expect.stringMatching(/^refs\/oxbow\/attempts\/Api-/),
      reason: { code: "out_of_scope", message: expect.stringContaining("stray.txt") },
    });
    const shown = await salvage(shop, "show", api.id);
    expect(shown.stat).toContain("stray.txt");
    expect(shown.command).toMatch(/^git diff \w{12}\.\.\w{12}$/);

    const before = shop.fingerprint();
    expect(await salvage(shop, "restore", api.id)).toEqual({
      branch: `salvage/${api.id}`,
      commit: api.commit,
      created: true,
      refused: [],
    });
    expect(shop.at(`salvage/${api.id}`, "stray.txt")).toBe("x\n");
    expect(shop.fingerprint()).toBe(before);
    expect((await salvage(shop)).map((each: any) => each.agent).sort()).toEqual(["Docs", "Web"]);
  });

  it("never moves a branch that is there", async () => {
    using shop = makeShop();
    await run(shop, STRAY);
    const [item] = await salvage(shop);
    const args = ["salvage", "restore", item.id, "--json", "--branch"];
    const main = shop.git("rev-parse", "main");
    const refused = await oxbow([...args, "main"], { cwd: shop.dir });
    expect([refused.code, errorOf(refused).code]).toEqual([2, "branch_conflict"]);
    expect(shop.git("rev-parse", "main")).toBe(main);
    for (const name of ["-x", "a..b", "x.lock", "HEAD"]) {
      const odd = await oxbow([...args, name], { cwd: shop.dir });
      expect([name, odd.code]).toEqual([name, 2]);
    }
    const first = await oxbow([...args, "mine"], { cwd: shop.dir });
    expect(JSON.parse(first.stdout).created).toBe(true);
    const unknown = await oxbow(["salvage", "show", "nothing", "--json"], { cwd: shop.dir });
    expect(errorOf(unknown).code).toBe("salvage_unknown");
  });

  it("lists branches that were not merged, with the conflict or the failure", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    shop.git("branch", "--quiet", "-D", "integration/5");
    const branches = await salvage(shop);
    expect(branches.map(({ kind, where, reason }: any) => [kind, where, reason.code]).sort()).toEqual(
      ["Api", "Docs", "Web"].map((agent) => ["branch", `refs/heads/feature/5/${agent}`, "not_merged"]),
    );
    expect((await run(shop, FAIL, "6")).code).toBe(1);
    const failed = (await salvage(shop)).filter((each: any) => each.ticket === "6");
    expect(failed.map((each: any) => [each.agent, each.reason.code])).toContainEqual(["Api", "failed"]);
  });

  it("works from the refs alone", async () => {
    using shop = makeShop();
    await run(shop, STRAY);
    const before = await salvage(shop);
    forgetDatabase(shop);
    const after = await salvage(shop);
    expect(after.map(({ id, where, agent, task_id }: any) => ({ id, where, agent, task_id }))).toEqual(
      before.map(({ id, where, agent, task_id }: any) => ({ id, where, agent, task_id })),
    );
    expect(after[0].reason.code).toBe("unknown");
    expect((await salvage(shop, "restore", after[0].id)).created).toBe(true);
  });

  it("makes a commit of a kept folder, and says what of it no branch can hold", async () => {
    using shop = makeShop({ team: oneAgent });
    expect(reportOf(await run(shop, ODD)).state).toBe("failed");
    const items = await salvage(shop);
    const folder = items.find((each: any) => each.kind === "kept");
    expect(folder).toMatchObject({ agent: "Api", ticket: "5", attempt: 1, reason: { code: "failed" } });
    forgetDatabase(shop);
    const made = await salvage(shop, "restore", folder.id, "--branch", "rescued");
    expect(made).toMatchObject({ branch: "rescued", created: true });
    expect(made.refused).toHaveLength(1);
    expect(shop.at("rescued", "docs/new.md")).toBe("new\n");
    expect(shop.git("fsck", "--full", "--strict")).toBe("");
  });
});
