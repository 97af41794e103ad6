import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const TOUCH = `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "x\\n")' {paths}`;
const STRAY = `node -e 'require("fs").writeFileSync("stray-" + process.pid, "x")'`;
const STUCK = `node -e 'console.log("here"); setInterval(() => {}, 1000)'`;

const run = (shop: Shop, command: string, ticket = "5") =>
  oxbow(["run", "Work", "--by", "owner", "--ticket", ticket, "--command", command, "--json"], {
    cwd: shop.dir,
  });
async function gc(shop: Shop, ...args: string[]): Promise<any> {
  const ended = await oxbow(["gc", ...args, "--json"], { cwd: shop.dir });
  if (ended.stderr !== "") throw new Error(ended.stderr);
  return JSON.parse(ended.stdout);
}
const salvage = async (shop: Shop) =>
  JSON.parse((await oxbow(["salvage", "--json"], { cwd: shop.dir })).stdout);
const refs = (shop: Shop, ...below: string[]) =>
  shop
    .git("for-each-ref", "--format=%(refname) %(objectname)", ...below)
    .trim()
    .split("\n")
    .filter(Boolean);
const commits = (shop: Shop) => new Set(shop.git("rev-list", "--all").trim().split("\n"));

describe("oxbow gc", () => {
  it("only says what is safe and why, unless it is told to delete", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    const before = refs(shop, "refs");
    const { deleted, things } = await gc(shop);
    expect(deleted).toBe(false);
    expect(things.filter((each: any) => each.kind === "branch")).toEqual(
      ["Api", "Docs", "Web"].map((agent) =>
        expect.objectContaining({
          name: `refs/heads/feature/5/${agent}`,
          ticket: "5",
          safe: true,
          reason: "Merged: integration/5 reaches it.",
        }),
      ),
    );
    expect(things.find((each: any) => each.kind === "rows")).toMatchObject({
      safe: false,
      reason: expect.stringContaining("30 days"),
    });
    expect(things.find((each: any) => each.kind === "log")).toMatchObject({ safe: false });
    expect(refs(shop, "refs")).toEqual(before);
  });

  it("deletes what is merged; every commit stays reachable, integration branches and the checkout stay as they are", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    const [all, before, kept] = [
      commits(shop),
      shop.fingerprint(),
      refs(shop, "refs/heads/integration", "refs/heads/main"),
    ];
    const { gone } = await gc(shop, "--yes");
    expect(gone.every((each: any) => each.problem === null)).toBe(true);
    expect(refs(shop, "refs/heads", "refs/oxbow")).toEqual(kept);
    expect(commits(shop)).toEqual(all);
    expect(shop.fingerprint()).toBe(before);
    const status = await oxbow(["status", "5", "--json"], { cwd: shop.dir });
    expect(JSON.parse(status.stdout)[0].task.state).toBe("completed");
    expect((await gc(shop, "--yes")).gone).toEqual([]);
  });

  it("lets rows and logs go once they are old enough", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    await run(shop, TOUCH, "6");
    const { gone, compacted } = await gc(shop, "--yes", "--older-than", "0", "--ticket", "5");
    expect(new Set(gone.map((each: any) => each.ticket))).toEqual(new Set(["5"]));
    expect(gone.map((each: any) => each.kind)).toContain("rows");
    expect(compacted).toBe(true);
    const status = await oxbow(["status", "--json"], { cwd: shop.dir });
    expect(JSON.parse(status.stdout).map((each: any) => each.task.ticket)).toEqual(["6"]);
    const rest = await gc(shop, "--yes", "--older-than", "0");
    expect(rest.gone.map((each: any) => each.kind)).toContain("log");
    expect(existsSync(`${shop.dir}/.git/oxbow/logs/orchestrator.log`)).toBe(false);
    expect(rest.stays).toEqual([]);
    // All of it still works.
    expect(reportOf(await run(shop, TOUCH, "5")).state).toBe("completed");
  });

  it("keeps what is merged nowhere, whatever its age, unless it is named", async () => {
    using shop = makeShop();
    await run(shop, STRAY);
    const items = await salvage(shop);
    const before = refs(shop, "refs/oxbow");
    const first = await gc(shop, "--yes", "--older-than", "0");
    expect(first.gone.filter((each: any) => each.kind === "rows")).toEqual([]);
    expect(refs(shop, "refs/oxbow")).toEqual(before);
    const why = first.stays.filter((each: any) => each.kind === "ref").map((each: any) => each.reason);
    expect(new Set(why)).toEqual(new Set(["What it saved is merged nowhere: oxbow salvage"]));
    const unknown = await oxbow(["gc", "--yes", "--force", "nothing", "--json"], { cwd: shop.dir });
    expect(errorOf(unknown).code).toBe("salvage_unknown");
    const forced = await gc(shop, "--yes", "--older-than", "0", "--force", items[0].id);
    expect(forced.gone.map((each: any) => each.name)).toEqual([items[0].where]);
    expect((await salvage(shop)).map((each: any) => each.id)).toEqual(
      items.slice(1).map((each: any) => each.id),
    );
  });

  it("lets work go that a person made a branch of, and counts branches of people and tags as theirs", async () => {
    using shop = makeShop();
    await run(shop, STRAY);
    const items = await salvage(shop);
    for (const { id } of items) await oxbow(["salvage", "restore", id], { cwd: shop.dir });
    const all = commits(shop);
    await gc(shop, "--yes", "--older-than", "0");
    expect(refs(shop, "refs/oxbow")).toEqual([]);
    expect(refs(shop, "refs/heads").map((line) => line.split(" ")[0])).toEqual([
      "refs/heads/main",
      ...items.map(({ id }: any) => `refs/heads/salvage/${id}`).sort(),
    ]);
    expect(commits(shop)).toEqual(all);
  });

  it("leaves a branch that is checked out, one a person committed to, and one that is merged nowhere", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    shop.git("switch", "--quiet", "feature/5/Api");
    const mine = shop.git("commit-tree", "-p", "feature/5/Web", "-m", "mine", "feature/5/Web^{tree}").trim();
    shop.git("update-ref", "refs/heads/feature/5/Web", mine);
    const { stays } = await gc(shop, "--yes", "--older-than", "0");
    expect(refs(shop, "refs/heads/feature").map((line) => line.split(" ")[0])).toEqual([
      "refs/heads/feature/5/Api",
      "refs/heads/feature/5/Web",
    ]);
    expect(stays.map((each: any) => each.reason)).toContain(`It is checked out in ${shop.dir}.`);
  });

  it("touches nothing of a task that is at work", async () => {
    using shop = makeShop();
    await run(shop, TOUCH);
    const running = startOxbow(
      ["run", "Hang", "--by", "owner", "--ticket", "7", "--command", STUCK, "--json"],
      { cwd: shop.dir },
    );
    await running.line((line) => line.event === "command_output");
    const before = refs(shop, "refs/heads/feature/7", "refs/oxbow/attempts");
    const { gone, stays } = await gc(shop, "--yes", "--older-than", "0", "--ticket", "7");
    expect(gone).toEqual([]);
    expect(stays.length).toBeGreaterThan(0);
    expect(new Set(stays.map(({ reason }: any) => reason.replace(/t-\w+ /, "")))).toEqual(
      new Set(["The task is running."]),
    );
    expect(refs(shop, "refs/heads/feature/7", "refs/oxbow/attempts")).toEqual(before);
    const dry = (await gc(shop)).things;
    expect(dry.filter((each: any) => each.kind === "workspace").map((each: any) => each.safe)).toContain(
      false,
    );
    running.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
  });

  it("takes over what a killed run left: its files are saved first", async () => {
    using shop = makeShop();
    const half = `node -e 'require("fs").writeFileSync(process.argv[1] + ".new", "half\\n"); console.log("here"); setInterval(() => {}, 1000)' {paths}`;
    const args = ["run", "Hang", "--by", "owner", "--ticket", "8", "--command", half, "--json"];
    const running = startOxbow(args, { cwd: shop.dir });
    for (const agent of ["Api", "Web", "Docs"])
      await running.line((line) => line.event === "command_output" && line["source"] === agent);
    running.kill("SIGKILL");
    await running.ended;
    const { gone } = await gc(shop, "--yes", "--older-than", "0");
    expect(gone.filter((each: any) => each.kind === "workspace")).toHaveLength(3);
    const items = await salvage(shop);
    expect(items.map((each: any) => [each.kind, each.files, each.reason.code])).toEqual([
      ["attempt", 1, "running"],
      ["attempt", 1, "running"],
      ["attempt", 1, "running"],
    ]);
  });
});
