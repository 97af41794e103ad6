/**
 * `npm run test:faults`: every fail point, every scene, then random kills. Prints each violation with what replays it, and the
 * figures.
 *   --short                    a handful of points and scenes, on SQLite, and a small run under random kills
 *   --points, --scenes         all of these, and nothing else
 *   --point NAME[:N] --who run|worker|resume --engine sqlite|postgres     one case
 *   --scene NAME --seed N --engine sqlite|postgres                         one scene
 *   --mutations                      what the checker says when a finished run is tampered with
 *   --chaos --children N --faults N --seed N --engine sqlite|postgres      one run under random kills
 */
import { parseArgs } from "node:util";
import { FAIL_POINTS, type FailPoint, VERIFY_POINTS } from "../../src/host/fail-point.ts";
import { keepServer } from "../support/servers-keep.ts";
import { type ChaosOptions, planOf, playChaos } from "./chaos.ts";
import { playMutations } from "./mutations.ts";
import { type PointCase, playPoint, type Who } from "./points.ts";
import type { Servers, Verdict } from "./scene.ts";
import { isPlayedOn, playScene, SCENE_NAMES } from "./scenes.ts";
import type { KeptServers } from "./server-faults.ts";

const { values: given } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    point: { type: "string" },
    scene: { type: "string" },
    scenes: { type: "boolean", default: false },
    points: { type: "boolean", default: false },
    mutations: { type: "boolean", default: false },
    who: { type: "string" },
    engine: { type: "string" },
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    chaos: { type: "boolean", default: false },
    children: { type: "string" },
    faults: { type: "string" },
  },
});

type Engine = "sqlite" | "postgres";

interface Case {
  readonly name: string;
  readonly engine: Engine;
  play(servers: Servers | null, kept: KeptServers): Promise<Verdict>;
}

const POINTS = [...FAIL_POINTS, ...VERIFY_POINTS];

/** Only the process that carries the task comes there. */
const OF_THE_RUN = /^(?:queue|merge|land|target|settle|verify|end)\./;
/** Only where something is taken over. */
const OF_TAKING_OVER = /^cleanup\./;
const SHORT: readonly FailPoint[] = [
  "announce.after",
  "lease.after",
  "commit.moved",
  "outcome.after",
  "target.moved",
];

const SHORT_SCENES = ["cancelled", "critical"];

/** The submission writes children too; the split is the second time. */
const firstSplit = (point: FailPoint, who: Who) => (point === "announce.inside" && who === "run" ? 2 : 1);

function pointCases(seed: number): readonly PointCase[] {
  return POINTS.flatMap((point): PointCase[] => {
    const whos: Who[] = OF_TAKING_OVER.test(point)
      ? ["resume"]
      : OF_THE_RUN.test(point)
        ? ["run"]
        : ["run", "worker"];
    // Later seeds kill later: at the children's turns rather than at the lead's.
    return whos.map((who) => ({
      point,
      who,
      nth: firstSplit(point, who) + (MANY.test(point) ? seed - 1 : 0),
    }));
  });
}

/** Points that every part comes to. */
const MANY = /^(?:lease|branch|model|tool|objects|commit|ref|turn|outcome|ack)\./;

function asCase(each: PointCase, engine: Engine): Case {
  const name = `--point ${each.point}:${each.nth} --who ${each.who} --engine ${engine}`;
  return { name, engine, play: (servers) => playPoint(each, servers) };
}

function asChaos(options: ChaosOptions, engine: Engine): Case {
  const { seed, children, faults } = options;
  const plan = planOf(options, engine === "postgres").map(({ fault, after }) => `${fault}@${after}`);
  const name = `--chaos --children ${children} --faults ${faults} --seed ${seed} --engine ${engine}`;
  return {
    name: `${name} # ${plan.join(" ")}`,
    engine,
    play: (servers, kept) => playChaos(options, servers, kept),
  };
}

function asScene(scene: string, seed: number, engine: Engine): Case {
  const name = `--scene ${scene} --seed ${seed} --engine ${engine}`;
  return { name, engine, play: (servers, kept) => playScene(scene, { servers, kept, seed }) };
}

const MUTATIONS: Case = { name: "--mutations", engine: "sqlite", play: () => playMutations() };

function isPoint(name: string): name is FailPoint {
  return POINTS.some((point) => point === name);
}

function isWho(name: string): name is Who {
  return ["run", "worker", "resume"].includes(name);
}

function chosen(): readonly Case[] {
  const engines: readonly Engine[] =
    given.engine === "sqlite" || given.engine === "postgres"
      ? [given.engine]
      : given.short
        ? ["sqlite"]
        : ["sqlite", "postgres"];
  const seeds = Array.from({ length: Number(given.seeds) }, (_, i) => Number(given.seed) + i);
  const whos = given.who === undefined ? null : given.who;
  if (whos !== null && !isWho(whos)) throw new Error(`there is no --who ${whos}`);
  const [name = "", nth] = (given.point ?? "").split(":");
  if (given.point !== undefined) {
    if (!isPoint(name)) throw new Error(`there is no point ${name}: ${POINTS.join(", ")}`);
    return engines.map((engine) =>
      asCase({ point: name, nth: Number(nth ?? 1), who: whos ?? "run" }, engine),
    );
  }
  const scenes = engines.flatMap((engine) =>
    SCENE_NAMES.filter(
      (name) =>
        isPlayedOn(name, engine) &&
        (given.scene === undefined || name === given.scene) &&
        (!given.short || SHORT_SCENES.includes(name)),
    ).flatMap((name) => seeds.map((seed) => asScene(name, seed, engine))),
  );
  if (given.mutations) return [MUTATIONS];
  if (given.scene !== undefined || given.scenes) return scenes;
  const size = given.short ? { children: 16, faults: 3 } : { children: 200, faults: 24 };
  const chaos = engines.flatMap((engine) =>
    seeds.map((seed) =>
      asChaos(
        {
          seed,
          children: Number(given.children ?? size.children),
          faults: Number(given.faults ?? size.faults),
        },
        engine,
      ),
    ),
  );
  if (given.chaos) return chaos;
  const points = seeds
    .flatMap(pointCases)
    .filter(
      (each) =>
        (whos === null || each.who === whos) &&
        (!given.short || (SHORT.includes(each.point) && each.who === "run")),
    );
  const all = engines.flatMap((engine) => points.map((each) => asCase(each, engine)));
  if (given.points || whos !== null) return all;
  return [...all, ...scenes, ...(given.short ? [] : [MUTATIONS]), ...chaos];
}

const MOST_SHOWN = 20;

async function main(): Promise<void> {
  const cases = chosen();
  const needed = cases.some(({ engine }) => engine === "postgres");
  const kept = needed ? await Promise.all([keepServer("postgres"), keepServer("redis")]) : [];
  const [postgres, redis] = kept.map(({ said }) => said.url);
  const keptServers = kept[0] && kept[1] ? { postgres: kept[0], redis: kept[1] } : null;
  const servers = postgres !== undefined && redis !== undefined ? { postgres, redis } : null;
  if (needed && !servers)
    console.log("SKIPPED: the cases on Postgres and Redis; the machine lacks one of them.");
  const total = { cases: 0, kills: 0, children: 0, violations: 0 };
  const startedAt = performance.now();
  try {
    for (const each of cases) {
      const onServers = each.engine === "postgres";
      if (onServers && !servers) continue;
      const verdict = await each.play(onServers ? servers : null, onServers ? keptServers : null);
      if (verdict.skipped !== undefined) {
        console.log(`SKIPPED ${each.name}: ${verdict.skipped}`);
        continue;
      }
      total.cases++;
      total.kills += verdict.kills;
      total.children += verdict.children;
      total.violations += verdict.violations.length;
      console.log(
        `${verdict.violations.length === 0 ? "ok  " : "FAIL"} ${each.name}${verdict.note ? ` (${verdict.note})` : ""}`,
      );
      for (const violation of verdict.violations.slice(0, MOST_SHOWN)) console.log(`     ${violation}`);
      if (verdict.violations.length > MOST_SHOWN) console.log(`     … ${verdict.violations.length} in all`);
      if (verdict.violations.length > 0) console.log(`     replay: npm run test:faults -- ${each.name}`);
    }
  } finally {
    await Promise.all(kept.map((server) => server.end()));
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${total.cases} cases, ${total.kills} kills, ${total.children} children, violations: ${total.violations}, ${seconds} s`,
  );
  process.exitCode = total.violations === 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main();
