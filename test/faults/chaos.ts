/**
 * A run of many children under workers, while a seed decides what is killed next: a worker, the run, Redis, Postgres, their
 * connections. A fault comes after so many answers of the models, so that a seed gives the same plan on any machine.
 */
import { Redis } from "ioredis";
import type { Ended, Running } from "../support/cli.ts";
import type { Kept } from "../support/servers-keep.ts";
import { runSql } from "../support/store-sql.ts";
import type { Verdict } from "./points.ts";
import { type Servers, setStage, type Stage, within } from "./scene.ts";
import { TICKET } from "./shop-work.ts";

const FAULTS = ["worker", "run", "term", "worker"] as const;
const FAULTS_OF_SERVERS = [
  "redis.kill",
  "redis.flush",
  "redis.cut",
  "postgres.kill",
  "postgres.cut",
] as const;
type Fault = (typeof FAULTS)[number] | (typeof FAULTS_OF_SERVERS)[number];

export interface ChaosOptions {
  readonly seed: number;
  readonly children: number;
  readonly faults: number;
}

/** Null: SQLite alone. */
export type KeptServers = { readonly postgres: Kept; readonly redis: Kept } | null;

const PATIENCE_MS = 15 * 60_000;

/** Mulberry32. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** After how many answers which fault comes: spread over the answers that the run needs at least. */
export function planOf({ seed, children, faults }: ChaosOptions, withServers: boolean) {
  const roll = dice(seed);
  const kinds: readonly Fault[] = withServers ? [...FAULTS, ...FAULTS_OF_SERVERS] : FAULTS;
  const gap = Math.max(2, Math.floor((children * 4) / (faults + 1)));
  return Array.from({ length: faults }, (_, i) => ({
    after: gap * (i + 1) - roll(gap),
    fault: kinds[roll(kinds.length)] ?? "worker",
    which: roll(2),
  }));
}

export async function playChaos(options: ChaosOptions, kept: KeptServers): Promise<Verdict> {
  const { postgres, redis } = { postgres: kept?.postgres.said.url, redis: kept?.redis.said.url };
  const servers = postgres !== undefined && redis !== undefined ? { postgres, redis } : null;
  let answers = 0;
  let wake = (): void => undefined;
  const answered = () => {
    answers++;
    wake();
  };
  await using stage = await setStage(servers, options.children, answered);
  const reached = async (count: number) => {
    while (answers < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  try {
    const { kills, violations } = await within(
      PATIENCE_MS,
      "the run",
      play(stage, options, servers, kept, reached),
    );
    return { kills, children: options.children, violations };
  } catch (error) {
    return { kills: 0, children: options.children, violations: [`stuck: ${String(error)}`] };
  }
}

async function play(
  stage: Stage,
  options: ChaosOptions,
  servers: Servers | null,
  kept: KeptServers,
  reached: (count: number) => Promise<void>,
): Promise<Pick<Verdict, "kills" | "violations">> {
  const printed: Promise<Ended>[] = [];
  let kills = 0;
  const tell = (running: Running): Running => {
    printed.push(running.ended);
    return running;
  };
  const resume = () => tell(stage.start(["run", "--resume", TICKET, "--json"]));
  const newWorker = () => stage.start(["worker", "--concurrency", "4", "--json"]);
  const workers = [newWorker(), newWorker()];
  await Promise.all(workers.map((each) => each.line((line) => line["event"] === "worker_started")));
  let run = tell(stage.run());
  let over = false;
  const strike = async (fault: Fault, which: number): Promise<void> => {
    if (fault === "worker" || fault === "term") {
      workers[which]?.kill(fault === "term" ? "SIGTERM" : "SIGKILL");
      await workers[which]?.ended;
      workers[which] = newWorker();
    } else if (fault === "run") {
      run.kill("SIGKILL");
      await run.ended;
    } else if (servers && kept) await strikeServer(fault, servers, kept);
    kills++;
  };
  const strikes = (async () => {
    for (const { after, fault, which } of planOf(options, servers !== null)) {
      await reached(after);
      if (over) return;
      await strike(fault, which);
    }
  })();
  let last = await run.ended;
  // Killed, or without its servers for too long: as a person would, it is resumed.
  for (let again = 0; last.code !== 0 && again < options.faults + 3; again++) {
    run = resume();
    last = await run.ended;
  }
  over = true;
  await Promise.race([strikes, Promise.resolve()]);
  for (const each of workers) each.kill("SIGTERM");
  const left = await Promise.all(workers.map((each) => each.ended));
  const violations = [...(await stage.check(await Promise.all(printed)))];
  if (last.code !== 0) violations.push(`it ends with ${last.code}: ${last.stderr.slice(-500)}`);
  for (const { code, stderr } of left)
    if (code !== 0) violations.push(`a worker ends with ${code}: ${stderr.slice(-300)}`);
  return { kills, violations };
}

async function strikeServer(fault: Fault, servers: Servers, kept: NonNullable<KeptServers>): Promise<void> {
  if (fault === "redis.kill" || fault === "postgres.kill") {
    const server = fault === "redis.kill" ? kept.redis : kept.postgres;
    await server.order("kill");
    await server.order("start");
  } else if (fault === "postgres.cut") {
    const others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()";
    await runSql({ url: servers.postgres }, `${others} and backend_type = 'client backend'`);
  } else {
    const redis = new Redis(servers.redis);
    if (fault === "redis.flush") await redis.flushall();
    else await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    redis.disconnect();
  }
}
