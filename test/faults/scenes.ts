/** Faults that no fail point makes: each scene does one thing to a run that is under way, and then what a person would do. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Running } from "../support/cli.ts";
import { dice } from "./dice.ts";
import { kill } from "./processes.ts";
import { resume, setStage, type Stage, type Verdict, within } from "./scene.ts";
import { endOf, leftBy, type Played, type Plot, type SceneSetting, stop } from "./plot.ts";
import { closed, disk, ready } from "./scenes-limits.ts";
import { SERVER_FAULTS, type ServerFault, strikeServer } from "./server-faults.ts";
import { TICKET } from "./shop-work.ts";

/** SIGTERM while everything is at work: both end in order, and others go on. */
async function term(stage: Stage): Promise<Played> {
  const worker = stage.start(["worker", "--concurrency", "4", "--json"], { OXBOW_DRAIN_MS: "200" });
  await worker.line((line) => line["event"] === "worker_started");
  const run = stage.run([], { OXBOW_DRAIN_MS: "200" });
  await stage.answered(10);
  stage.look();
  for (const each of [run, worker]) each.kill("SIGTERM");
  const [first, left] = await Promise.all([run.ended, worker.ended]);
  const violations = leftBy(stage, "after SIGTERM");
  if (left.code !== 0) violations.push(`the worker ends with ${left.code}: ${left.stderr.slice(-300)}`);
  if (first.code === null) violations.push("the run did not end in order");
  const second = await resume(stage).ended;
  return { kills: 2, violations: [...violations, ...(await endOf(stage, [first, second]))] };
}

/** Killed between a commit and its event, and then cancelled while nobody is at work. */
async function cancelled(stage: Stage): Promise<Played> {
  const first = await stage.run([], { TEST_FAIL_POINT: "commit.moved:1:kill" }).ended;
  const ended = await stage.start(["cancel", TICKET, "--json"]).ended;
  const violations = first.code === null ? [] : ["the point was not reached"];
  if (ended.code !== 0) violations.push(`cancel ends with ${ended.code}: ${ended.stderr}`);
  const how = { mayFail: true, unmerged: true };
  return { kills: 1, violations: [...violations, ...(await stage.check([first], how))] };
}

/** The worker of a critical agent is killed: the tree stops, and nothing of it is merged. */
async function critical(stage: Stage): Promise<Played> {
  const victim = stage.start(["worker", "--agent", "Api", "--json"], {
    TEST_FAIL_POINT: "model.before:1:kill",
  });
  await victim.line((line) => line["event"] === "worker_started");
  const run = stage.run();
  const [dead, last] = [await victim.ended, await run.ended];
  const violations = dead.code === null ? leftBy(stage, "after the stop") : ["the point was not reached"];
  if (last.code === 0) violations.push("I10: a run whose critical agent died ends with 0");
  const how = { mayFail: true, unmerged: true, critical: "Api" };
  return { kills: 1, violations: [...violations, ...(await stage.check([last], how))] };
}

/** Wall clocks of the workers and of the run jump, an hour ahead, two back and so on. */
async function clock(stage: Stage, { seed }: SceneSetting): Promise<Played> {
  const roll = dice(seed);
  const loaded = pathToFileURL(join(import.meta.dirname, "clock.ts")).href;
  const env = (jumps: string) => ({ NODE_OPTIONS: `--import ${loaded}`, CLOCK_JUMPS: jumps });
  const workers = ["3600000,-7200000,3600000", "-90000000,90000000,600000"].map((jumps) =>
    stage.start(["worker", "--concurrency", "3", "--json"], env(jumps)),
  );
  for (const each of workers) await each.line((line) => line["event"] === "worker_started");
  const run = stage.run([], env("-3600000,7200000,-60000"));
  const all: readonly Running[] = [...workers, run];
  let jumps = 0;
  for (; jumps < 9; jumps++) {
    const next = await Promise.race([stage.answered(4 + jumps * 5), run.ended]);
    if (next !== undefined) break;
    all[roll(all.length)]?.kill("SIGUSR2");
  }
  const last = await run.ended;
  const violations = await stop(workers);
  return {
    kills: jumps,
    violations: [...violations, ...(await endOf(stage, [last], { clockJumps: true }))],
  };
}

/** Programs of agents are killed in the middle of their work. */
async function programs(stage: Stage, { seed }: SceneSetting): Promise<Played> {
  const roll = dice(seed);
  const run = stage.run();
  let over = false;
  void run.ended.then(() => (over = true));
  let kills = 0;
  while (!over && kills < 5) {
    const alive = stage.programs();
    const pid = alive[roll(Math.max(1, alive.length))];
    if (pid !== undefined && kill(pid)) kills++;
    await Promise.race([run.ended, run.line(() => true)]);
    await new Promise((soon) => setTimeout(soon, 40));
  }
  const last = await run.ended;
  const violations = kills > 0 ? [] : ["no program was there to be killed"];
  return { kills, violations: [...violations, ...(await endOf(stage, [last]))] };
}

/** Locks of a git that died with its run are cleared; one that somebody holds is not touched, and said. */
async function locks(stage: Stage): Promise<Played> {
  const first = await stage.run([], { TEST_FAIL_POINT: "ref.sent:2:kill" }).ended;
  const violations = first.code === null ? [] : ["the point was not reached"];
  const dead = leaveLocks(stage);
  if (dead.length === 0) violations.push("no transaction was under way");
  const foreign = join(stage.shop.dir, ".git", "refs", "heads", "integration", `${TICKET}.lock`);
  mkdirSync(dirname(foreign), { recursive: true });
  writeFileSync(foreign, "");
  const second = await resume(stage).ended;
  if (!existsSync(foreign)) violations.push("I3: a lock that is somebody's was removed");
  if (second.code === 0) violations.push("I11: it ends with 0, though the integration branch was locked");
  for (const file of dead) if (existsSync(file)) violations.push(`I7: the dead lock ${file} is left`);
  rmSync(foreign, { force: true });
  const third = await resume(stage).ended;
  return { kills: 1, violations: [...violations, ...(await endOf(stage, [first, second, third]))] };
}

/** What a git that was killed in the middle of the transaction leaves, as its note says. */
function leaveLocks(stage: Stage): string[] {
  const gitDir = join(stage.shop.dir, ".git");
  const notes = readdirSync(gitDir, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\/sessions\/\d+\./.test(name),
  );
  return notes.flatMap((name) => {
    const text = readFileSync(join(gitDir, name), "utf8");
    if (text === "") return [];
    const { locks: taken }: { locks: [string, string | null][] } = JSON.parse(text);
    return taken.map(([ref, content]) => {
      const file = join(gitDir, `${ref}.lock`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content === null ? "" : `${content}\n`);
      return file;
    });
  });
}

function serverScene(fault: ServerFault): Plot {
  return {
    options: { children: 12 },
    needsServers: true,
    async play(stage, { kept }) {
      const worker = stage.start(["worker", "--concurrency", "4", "--json"]);
      await worker.line((line) => line["event"] === "worker_started");
      const run = stage.run();
      await stage.answered(14);
      if (kept) await strikeServer(fault, kept);
      const printed = [await run.ended];
      if (printed[0]?.code !== 0) printed.push(await resume(stage).ended);
      const violations = await stop([worker]);
      return { kills: 1, violations: [...violations, ...(await endOf(stage, printed))] };
    },
  };
}

const asCritical = (team: string) =>
  team
    .replace("groups:\n", "groups:\n  - { name: Core, critical: true }\n")
    .replace("{ name: Api, group: All", "{ name: Api, group: Core");

const PATIENCE_MS = 240_000;

const SCENES: Readonly<Record<string, () => Plot>> = {
  term: () => ({ options: { children: 12, programs: 4 }, play: term }),
  cancelled: () => ({ options: { children: 3 }, play: cancelled }),
  critical: () => ({ options: { children: 6, team: asCritical }, play: critical }),
  clock: () => ({ options: { children: 12 }, play: clock }),
  programs: () => ({ options: { children: 6, programs: 1 }, play: programs }),
  locks: () => ({ options: { children: 3 }, play: locks }),
  closed,
  disk: () => disk(),
  "disk.repository": () => disk(true),
  ready,
  ...Object.fromEntries(SERVER_FAULTS.map((fault) => [fault, () => serverScene(fault)])),
};

export const SCENE_NAMES: readonly string[] = Object.keys(SCENES);

/** Whether the scene is one of that engine's. */
export function isPlayedOn(name: string, engine: "sqlite" | "postgres"): boolean {
  return engine === "postgres" || SCENES[name]?.().needsServers !== true;
}

export async function playScene(name: string, setting: SceneSetting): Promise<Verdict> {
  const plot = SCENES[name]?.();
  if (!plot) throw new Error(`there is no scene ${name}: ${SCENE_NAMES.join(", ")}`);
  const { children } = plot.options;
  using place = plot.place?.();
  if (place === null) return { kills: 0, children: 0, violations: [], skipped: plot.without ?? name };
  const folder = place ? { folder: place.folder } : {};
  await using stage = await setStage(setting.servers, { ...plot.options, ...folder });
  try {
    return { children, ...(await within(PATIENCE_MS, name, plot.play(stage, setting, place?.folder ?? ""))) };
  } catch (error) {
    return { kills: 0, children, violations: [`stuck: ${String(error)}`] };
  }
}
