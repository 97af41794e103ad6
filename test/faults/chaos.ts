/**
 * A run of many children under workers, while a seed decides what is killed next: a worker, the run, a program of an agent,
 * a git, Redis, Postgres, their connections. A fault comes after so many answers of the models, so that a seed gives the same plan
 * on any machine.
 */
import type { Ended, Running } from "../support/cli.ts";
import { dice } from "./dice.ts";
import { kill } from "./processes.ts";
import { notEnded, resume, type Servers, setStage, type Stage, type Verdict, within } from "./scene.ts";
import { type KeptServers, SERVER_FAULTS, strikeServer } from "./server-faults.ts";
import { byModels, partsOf } from "./shop-work.ts";

const FAULTS = ["worker", "run", "term", "program", "run.term", "git", "worker", "program", "git"] as const;
type Fault = (typeof FAULTS)[number] | (typeof SERVER_FAULTS)[number];

export interface ChaosOptions {
  readonly seed: number;
  readonly children: number;
  readonly faults: number;
}

/** Every so manieth part is a program's. */
const PROGRAMS = 5;
const PATIENCE_MS = 20 * 60_000;

/** After how many answers which fault comes: spread over the answers that the run needs at least. */
export function planOf({ seed, children, faults }: ChaosOptions, withServers: boolean) {
  const roll = dice(seed);
  const kinds: readonly Fault[] = withServers ? [...FAULTS, ...SERVER_FAULTS] : FAULTS;
  const answers = byModels(partsOf(children, { programs: PROGRAMS })).length * 4;
  const gap = Math.max(2, Math.floor(answers / (faults + 1)));
  return Array.from({ length: faults }, (_, i) => ({
    after: gap * (i + 1) - roll(gap),
    fault: kinds[roll(kinds.length)] ?? "worker",
    which: roll(5),
  }));
}

export async function playChaos(
  options: ChaosOptions,
  servers: Servers | null,
  kept: KeptServers,
): Promise<Verdict> {
  const { children } = options;
  await using stage = await setStage(servers, { children, programs: PROGRAMS });
  try {
    return { children, ...(await within(PATIENCE_MS, "the run", play(stage, options, servers, kept))) };
  } catch (error) {
    return { kills: 0, children, violations: [`stuck: ${String(error)}`] };
  }
}

async function play(
  stage: Stage,
  options: ChaosOptions,
  servers: Servers | null,
  kept: KeptServers,
): Promise<Omit<Verdict, "children">> {
  const printed: Promise<Ended>[] = [];
  const struck = new Map<Fault, number>();
  const tell = (running: Running): Running => {
    printed.push(running.ended);
    return running;
  };
  const newWorker = async () => {
    const worker = stage.start(["worker", "--concurrency", "4", "--json"]);
    await worker.line((line) => line["event"] === "worker_started");
    return worker;
  };
  const workers = [await newWorker(), await newWorker()];
  let run = tell(stage.run());
  let over = false;
  const strike = async (fault: Fault, which: number): Promise<boolean> => {
    switch (fault) {
      case "worker":
      case "term":
        workers[which % 2]?.kill(fault === "term" ? "SIGTERM" : "SIGKILL");
        await workers[which % 2]?.ended;
        workers[which % 2] = await newWorker();
        return true;
      case "run":
      case "run.term":
        run.kill(fault === "run" ? "SIGKILL" : "SIGTERM");
        await run.ended;
        return true;
      case "program":
        return killOne(stage.programs, which, () => over);
      case "git":
        return killOne(stage.gits, which, () => over);
      default:
        if (!kept) return false;
        await strikeServer(fault, kept);
        return true;
    }
  };
  let striking: Promise<boolean> = Promise.resolve(false);
  const strikes = async () => {
    for (const { after, fault, which } of planOf(options, servers !== null)) {
      await stage.answered(after);
      if (over) return;
      stage.look();
      striking = strike(fault, which);
      if (await striking) struck.set(fault, (struck.get(fault) ?? 0) + 1);
    }
  };
  // What could not be struck is met at the end.
  strikes().catch(() => undefined);
  let last = await run.ended;
  // Killed, told to stop, or without its servers for too long: as a person would, it is resumed.
  for (let again = 0; last.code !== 0 && again < options.faults + 3; again++) {
    run = tell(resume(stage));
    last = await run.ended;
  }
  over = true;
  const held = stage.look();
  await striking;
  for (const each of workers) each.kill("SIGTERM");
  const left = await Promise.all(workers.map((each) => each.ended));
  const violations = [...notEnded(last), ...(await stage.check(await Promise.all(printed)))];
  for (const { code, stderr } of left)
    if (code !== 0) violations.push(`a worker ends with ${code}: ${stderr.slice(-300)}`);
  const kills = [...struck.values()].reduce((sum, count) => sum + count, 0);
  const faults = [...struck].sort().map(([fault, count]) => `${count} ${fault}`);
  const memory = Math.ceil(held.resident / 1_048_576);
  const note = `${faults.join(", ")}; at most ${held.handles} open files and ${memory} MiB a process`;
  return { kills, violations, note };
}

/** Waits for one to be at work. */
async function killOne(
  find: () => readonly number[],
  which: number,
  isOver: () => boolean,
): Promise<boolean> {
  for (let tries = 0; tries < 200 && !isOver(); tries++) {
    const alive = find();
    const pid = alive[which % Math.max(1, alive.length)];
    if (pid !== undefined && kill(pid)) return true;
    await new Promise((soon) => setTimeout(soon, 25));
  }
  return false;
}
