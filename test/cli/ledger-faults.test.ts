/**
 * Nothing acknowledged is lost: after any sequence of runs, kills at random moments, resumptions, restorations and
 * collections, every commit that ever stood on a branch or an attempt's ref is still reached by some ref.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Ended, oxbow, type Running, startOxbow } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

/** More: OXBOW_TEST_SEEDS=12. One alone: OXBOW_TEST_SEED=7. */
const COUNT = Number(process.env["OXBOW_TEST_SEEDS"] ?? 3);
const ONE = process.env["OXBOW_TEST_SEED"];
const SEEDS = ONE === undefined ? Array.from({ length: COUNT }, (_, i) => i + 1) : [Number(ONE)];
const STEPS = 7;

type Random = (below: number) => number;

/** Mulberry32: the same steps for the same seed. */
function random(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const PROGRAMS = [
  `node -e 'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "SEED\\n")' {paths}`,
  `node -e 'const fs = require("fs"); fs.appendFileSync(process.argv[1], "SEED\\n"); setTimeout(() => fs.appendFileSync(process.argv[1], "more\\n"), 80)' {paths}`,
  `node -e 'require("fs").writeFileSync("stray-SEED.txt", "x\\n")'`,
  `node -e 'require("fs").appendFileSync(process.argv[1], "SEED\\n"); process.exit(process.pid % 2)' {paths}`,
];

/** Kills with `kill -9` after some line of its output, and with it, now and then, the git processes it had started. */
async function killSomewhere(running: Running, pick: Random): Promise<void> {
  const after = pick(22);
  const delayMs = pick(40);
  const gitToo = pick(2) === 0;
  let seen = 0;
  await Promise.race([running.line(() => ++seen > after), running.ended]).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const helpers = gitToo ? helpersOf(running.pid) : [];
  running.kill("SIGKILL");
  for (const pid of helpers) end(pid);
  await running.ended;
}

function helpersOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
    return children.filter((each) => readFileSync(`/proc/${each}/comm`, "utf8").trim() === "git");
  } catch {
    // It has ended.
    return [];
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

interface World {
  readonly shop: Shop;
  readonly pick: Random;
  /** Commits that stood on a branch or on an attempt's ref, and what they were seen as. */
  readonly seen: Map<string, string>;
  readonly tickets: string[];
}

function look({ shop, seen }: World, ended?: Ended): void {
  const refs = shop.git(
    "for-each-ref",
    "--format=%(objectname) %(*objectname) %(refname)",
    "refs/heads",
    "refs/oxbow/attempts",
  );
  for (const line of refs.trim().split("\n")) {
    const [oid = "", peeled = "", ref = ""] = line.split(" ");
    seen.set(peeled === "" ? oid : peeled, ref);
  }
  for (const line of ended?.lines ?? [])
    if (line["event"] === "commit" || line["event"] === "work_saved") seen.set(line["commit"], line["event"]);
}

/** What was saved twice for one attempt is there once: the same files, as work of the same attempt. */
function lost({ shop, seen }: World): string[] {
  const about = (...revs: string[]) =>
    shop
      .git(
        "log",
        "--format=%H %T %(trailers:key=Oxbow-Subtask,valueonly,separator=%x2c) %(trailers:key=Oxbow-Attempt,valueonly,separator=%x2c)",
        ...revs,
      )
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, 40), line.slice(41)] as const);
  const reached = about("--all");
  const commits = new Set(reached.map(([commit]) => commit));
  const works = new Set(reached.map(([, work]) => work));
  return [...seen].flatMap(([commit, as]) => {
    if (commits.has(commit)) return [];
    const [[, work] = ["", ""]] = about("--no-walk", commit);
    return works.has(work) ? [] : [`${commit} (${as})`];
  });
}

async function run(world: World, name: string, seed: number, killed: boolean): Promise<string> {
  const { shop, pick, tickets } = world;
  const ticket = `${seed}-${name}`;
  tickets.push(ticket);
  const program = (PROGRAMS[pick(PROGRAMS.length)] ?? "").replaceAll("SEED", ticket);
  const args = ["run", "Work", "--by", "owner", "--ticket", ticket, "--command", program, "--json"];
  const running = startOxbow(args, { cwd: shop.dir });
  if (killed) await killSomewhere(running, pick);
  look(world, await running.ended);
  return `run ${ticket}${killed ? " (killed)" : ""}: ${program.slice(8, 60)}`;
}

async function step(world: World, seed: number, n: number): Promise<string> {
  const { shop, pick, tickets } = world;
  // Something is there from the beginning.
  const kind = n === 0 ? 3 : pick(10);
  const started = (...args: string[]) => startOxbow([...args, "--json"], { cwd: shop.dir });
  if (kind < 3) return run(world, String(n), seed, true);
  if (kind === 3) return run(world, String(n), seed, false);
  if (kind < 6) {
    const ticket = tickets[pick(tickets.length)] ?? "";
    const running = started("run", "--resume", ticket);
    if (pick(3) === 0) await killSomewhere(running, pick);
    look(world, await running.ended);
    return `resume ${ticket}`;
  }
  if (kind < 8) {
    const args = pick(2) === 0 ? [] : ["--older-than", "0"];
    const running = started("gc", "--yes", ...args);
    if (pick(2) === 0) {
      const delayMs = 250 + pick(500);
      await Promise.race([running.ended, new Promise((resolve) => setTimeout(resolve, delayMs))]);
      const helpers = helpersOf(running.pid);
      running.kill("SIGKILL");
      for (const pid of helpers) end(pid);
      await running.ended;
      return `gc ${args.join(" ")} (killed)`;
    }
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr, stdout]).toEqual([0, "", expect.any(String)]);
    return `gc ${args.join(" ")}`;
  }
  if (kind === 8) {
    const listed = await started("salvage").ended;
    const items: any[] = JSON.parse(listed.stdout);
    const item = items[pick(Math.max(1, items.length))];
    if (item !== undefined) expect((await started("salvage", "restore", item.id).ended).code).toBe(0);
    return `restore ${item?.id}`;
  }
  const { code } = await oxbow(["uninstall", "--dry-run", "--json"], { cwd: shop.dir });
  expect(code).toBe(0);
  return "uninstall --dry-run";
}

const leftOver = (shop: Shop) => {
  const state = join(shop.dir, ".git/oxbow");
  const locks = readdirSync(join(shop.dir, ".git"), { recursive: true, encoding: "utf8" });
  return [
    ...readdirSync(join(state, "workspaces")),
    ...locks.filter((name) => name.endsWith(".lock") && !name.startsWith("oxbow/")),
  ];
};

describe("after runs, kills and collections in any order", () => {
  it.each(SEEDS)(
    "nothing acknowledged is lost (seed %i)",
    async (seed) => {
      using shop = makeShop();
      const world: World = { shop, pick: random(seed), seen: new Map(), tickets: [] };
      const before = shop.fingerprint();
      const done: string[] = [];
      for (let n = 0; n < STEPS; n++) {
        done.push(await step(world, seed, n));
        look(world);
        expect(world.seen.size).toBeGreaterThan(3);
        expect({ done, lost: lost(world) }).toEqual({ done, lost: [] });
      }
      for (const ticket of world.tickets) {
        const { code, stderr } = await oxbow(["run", "--resume", ticket, "--json"], { cwd: shop.dir });
        // A run that was killed before its task was durable is not there.
        expect([done, code, stderr], stderr).toEqual([
          done,
          expect.toSatisfy((each) => each < 4),
          expect.any(String),
        ]);
      }
      look(world);
      const collected = await oxbow(["gc", "--yes", "--older-than", "0", "--json"], { cwd: shop.dir });
      const problems = collected.lines[0]?.["gone"].filter((each: any) => each.problem !== null);
      expect({ done, problems, code: collected.code }).toEqual({ done, problems: [], code: 0 });
      expect({ done, lost: lost(world), left: leftOver(shop) }).toEqual({ done, lost: [], left: [] });
      expect(shop.fingerprint()).toBe(before);
      expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
    },
    180_000,
  );
});
