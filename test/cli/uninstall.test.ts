import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const TOUCH = `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "x\\n")' {paths}`;
const STRAY = `node -e 'require("fs").writeFileSync("stray-" + process.pid, "x")'`;
const STUCK = `node -e 'console.log("here"); setInterval(() => {}, 1000)'`;

const work = (shop: Shop, command: string, env = {}) =>
  oxbow(["run", "Work", "--by", "owner", "--ticket", "5", "--command", command, "--json"], {
    cwd: shop.dir,
    env,
  });
const uninstall = (shop: Shop, args: readonly string[], env = {}) =>
  oxbow(["uninstall", ...args, "--json"], { cwd: shop.dir, env });
const refs = (shop: Shop, below: string) =>
  shop.git("for-each-ref", "--format=%(refname) %(objectname)", below).trim().split("\n").filter(Boolean);

describe("oxbow uninstall", () => {
  it("removes the state and Oxbow's refs, and leaves branches, checkout and configuration as they are", async () => {
    using shop = makeShop();
    await work(shop, TOUCH);
    const before = [shop.fingerprint(), ...refs(shop, "refs/heads")];
    const looked = await uninstall(shop, ["--dry-run"]);
    expect(looked.lines[0]).toMatchObject({
      removed: false,
      branches: 4,
      unmerged: [],
      kept: [],
      elsewhere: [],
    });
    expect(refs(shop, "refs/oxbow")).toHaveLength(looked.lines[0]?.["refs"]);
    expect(existsSync(join(shop.dir, ".git/oxbow/oxbow.db"))).toBe(true);

    const ended = await uninstall(shop, ["--yes"]);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(ended.lines[0]).toMatchObject({ removed: true, repository: shop.dir });
    expect(refs(shop, "refs/oxbow")).toEqual([]);
    expect(existsSync(join(shop.dir, ".git/oxbow"))).toBe(false);
    expect([shop.fingerprint(), ...refs(shop, "refs/heads")]).toEqual(before);
    expect(shop.git("fsck", "--full", "--strict")).toBe("");
  });

  it("asks for --yes where there is no terminal, and removes nothing", async () => {
    using shop = makeShop();
    await work(shop, TOUCH);
    const ended = await uninstall(shop, []);
    expect(ended.code).toBe(2);
    expect(errorOf(ended)).toMatchObject({ code: "usage", hint: expect.stringContaining("--yes") });
    expect(refs(shop, "refs/oxbow")).not.toEqual([]);
  });

  it("names work that is on no branch, and removes it only with --force", async () => {
    using shop = makeShop();
    expect(reportOf(await work(shop, STRAY)).state).toBe("failed");
    const refused = await uninstall(shop, ["--yes"]);
    expect(refused.code).toBe(2);
    const { code, message } = errorOf(refused);
    expect([code, message]).toEqual(["unmerged_work", expect.stringContaining("refs/oxbow/attempts/")]);
    expect(refs(shop, "refs/oxbow")).not.toEqual([]);
    const forced = await uninstall(shop, ["--yes", "--force"]);
    expect(forced.lines[0]?.["unmerged"]).toHaveLength(3);
    expect([forced.code, refs(shop, "refs/oxbow")]).toEqual([0, []]);
  });

  it("counts a commit as kept while any branch, tag or remote branch reaches it", async () => {
    using shop = makeShop();
    await work(shop, TOUCH);
    shop.git("tag", "kept", "integration/5");
    for (const branch of ["integration/5", "feature/5/Api", "feature/5/Web", "feature/5/Docs"])
      shop.git("branch", "--quiet", "-D", branch);
    expect((await uninstall(shop, ["--dry-run"])).lines[0]?.["unmerged"]).toEqual([]);
    shop.git("tag", "-d", "kept");
    expect((await uninstall(shop, ["--dry-run"])).lines[0]?.["unmerged"]).toHaveLength(3);
  });

  it("refuses while a run is at work", async () => {
    using shop = makeShop();
    const args = ["run", "Hang", "--by", "owner", "--command", STUCK, "--json"];
    const running = startOxbow(args, { cwd: shop.dir });
    await running.line((line) => line.event === "command_output");
    const ended = await uninstall(shop, ["--yes", "--force"]);
    expect([ended.code, errorOf(ended).code]).toEqual([2, "task_active"]);
    running.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
    expect((await uninstall(shop, ["--yes", "--force"])).code).toBe(0);
  });

  it("leaves other repositories' state and strangers' files in an OXBOW_HOME", async () => {
    using shop = makeShop();
    using other = makeShop();
    const home = mkdtempSync(join(tmpdir(), "oxbow-home-"));
    try {
      const env = { OXBOW_HOME: home };
      mkdirSync(join(home, "photos"));
      writeFileSync(join(home, "notes.txt"), "mine");
      await work(shop, TOUCH, env);
      await work(other, TOUCH, env);
      expect((await uninstall(shop, ["--yes"], env)).code).toBe(0);
      const status = await oxbow(["status", "5", "--json"], { cwd: other.dir, env });
      expect(JSON.parse(status.stdout)[0].task.state).toBe("completed");
      expect((await uninstall(other, ["--yes"], env)).code).toBe(0);
      expect(readdirSync(home).sort()).toEqual(["notes.txt", "photos"]);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  it("leaves a database that the user named, and says so", async () => {
    using shop = makeShop();
    const file = join(shop.dir, ".git", "mine.db");
    const env = { OXBOW_STORE_URL: `sqlite:${file}` };
    await work(shop, TOUCH, env);
    const ended = await uninstall(shop, ["--yes"], env);
    expect(ended.lines[0]).toMatchObject({ removed: true, elsewhere: [file] });
    expect([existsSync(file), existsSync(join(shop.dir, ".git/oxbow"))]).toEqual([true, false]);
  });

  it("finds nothing to remove where Oxbow never was", async () => {
    using shop = makeShop();
    const ended = await uninstall(shop, ["--yes"]);
    expect(ended.lines[0]).toMatchObject({ removed: true, refs: 0, unmerged: [], unfinished: [] });
    expect(existsSync(join(shop.dir, ".git/oxbow"))).toBe(false);
  });
});
