/** `kill -9` at one point of a run or of a worker, then what a person would do: the run again, or another worker. */
import { type FailPoint, VERIFY_POINTS } from "../../src/host/fail-point.ts";
import type { Ended } from "../support/cli.ts";
import { notEnded, resume, type Servers, setStage, type Stage, type Verdict, within } from "./scene.ts";
import { TICKET } from "./shop-work.ts";

export type Who = "run" | "worker" | "resume";

export interface PointCase {
  readonly point: FailPoint;
  /** The how-manieth time, from 1. */
  readonly nth: number;
  readonly who: Who;
}

const CHILDREN = 3;
const PATIENCE_MS = 240_000;
const armed = ({ point, nth }: PointCase) => ({ TEST_FAIL_POINT: `${point}:${nth}:kill` });

export async function playPoint(each: PointCase, servers: Servers | null): Promise<Verdict> {
  const verified = VERIFY_POINTS.some((point) => point === each.point);
  const team = (text: string) => (verified ? `${text}verify: ["git --version"]\n` : text);
  await using stage = await setStage(servers, { children: CHILDREN, team });
  const play = each.who === "worker" ? playWorker : playRun;
  try {
    const { kills, violations } = await within(PATIENCE_MS, "the case", play(each, stage));
    return { kills, children: CHILDREN, violations };
  } catch (error) {
    return { kills: 0, children: CHILDREN, violations: [`stuck: ${String(error)}`] };
  }
}

type Played = Pick<Verdict, "kills" | "violations">;

/** The run dies and is resumed; for `resume` the resumed one dies as well. */
async function playRun(each: PointCase, stage: Stage): Promise<Played> {
  const first = { point: "lease.after", nth: 2, who: "run" } as const;
  const printed: Ended[] = [];
  printed.push(await stage.run([], armed(each.who === "resume" ? first : each)).ended);
  if (each.who === "resume") printed.push(await resume(stage, armed(each)).ended);
  const kills = printed.filter(({ code }) => code === null).length;
  if (kills !== printed.length)
    return { kills, violations: [`the point was not reached: ${printed.at(-1)?.stderr.slice(-300)}`] };
  const known = printed.some(({ lines }) => lines.length > 0) || (await isKnown(stage));
  printed.push(known ? await resume(stage).ended : await stage.run().ended);
  const violations = [...notEnded(printed.at(-1)), ...(await stage.check(printed))];
  const again = await resume(stage).ended;
  if (again.code !== 0) violations.push(`I4: resumed once more it ends with ${again.code}: ${again.stderr}`);
  return { kills, violations: [...violations, ...(await stage.check(printed))] };
}

/** Whether the task became durable before its process died. */
async function isKnown(stage: Stage): Promise<boolean> {
  const status = await stage.start(["status", TICKET, "--json"]).ended;
  return status.code === 0;
}

/** A worker dies under a run that only watches; another takes over. */
async function playWorker(each: PointCase, stage: Stage): Promise<Played> {
  const victim = stage.start(["worker", "--json"], armed(each));
  await victim.line((line) => line["event"] === "worker_started");
  const run = stage.run(["--workers", "only"]);
  const dead = await Promise.race([victim.ended, run.ended]);
  if (dead.code !== null)
    return { kills: 0, violations: [`the point was not reached: ${dead.stderr.slice(-300)}`] };
  const other = stage.start(["worker", "--json"]);
  const watched = await run.ended;
  other.kill("SIGTERM");
  const left = await other.ended;
  const violations = [...notEnded(watched), ...(await stage.check([watched], { lastIsWhole: true }))];
  if (left.code !== 0) violations.push(`the other worker ends with ${left.code}: ${left.stderr.slice(-300)}`);
  return { kills: 1, violations };
}
