/** `schedule:` of team.yaml: when an agent is woken, and what it is then given to do. What the times come to is the scheduler's. */
import { OxbowError } from "./errors.ts";
import { cronProblem } from "./schedule-cron.ts";
import type { Fail, Path } from "./team-issues.ts";
import type { RawTeam } from "./team-schema.ts";
import { suggestion } from "./text.ts";

/** Of a time without one, so that all machines of a fleet mean the same moment. */
const DEFAULT_ZONE = "UTC";

export type Timing =
  | { readonly kind: "cron"; readonly cron: string; readonly tz: string }
  /** `at` is a moment (with Z), or a local time of `tz` (without). */
  | { readonly kind: "at"; readonly at: string; readonly tz: string }
  | { readonly kind: "after"; readonly after_ms: number };

export interface ScheduleEntry {
  readonly agent: string;
  readonly timing: Timing;
  /** What is submitted each time; null: only the signal is sent. */
  readonly task: string | null;
}

type RawMoment = NonNullable<RawTeam["schedule"]>[string];

/** Agents that there are, one time each, and times that can come. */
export function checkSchedule(raw: RawTeam, fail: Fail): void {
  const names = raw.agents.map((agent) => agent.name);
  for (const [name, moment] of Object.entries(raw.schedule ?? {})) {
    const path = ["schedule", name];
    if (!names.includes(name))
      fail("team_config", path, `there is no agent ${name}.${suggestion(name, names)}`);
    if (typeof moment === "string") checkCron(moment, path, fail);
    else checkMoment(moment, path, fail);
  }
}

function checkMoment(moment: Exclude<RawMoment, string>, path: Path, fail: Fail): void {
  const { cron, at, after_ms, tz, task } = moment;
  const given = [cron, at, after_ms].filter((value) => value !== undefined);
  if (given.length !== 1) fail("team_config", path, "give exactly one of cron, at and after_ms");
  if (cron !== undefined) checkCron(cron, [...path, "cron"], fail);
  if (at !== undefined && readAt(at) === null)
    fail(
      "team_config",
      [...path, "at"],
      `"${at}" is no point in time; write it as 2026-05-01T06:00:00+02:00, or without the offset and with a tz`,
    );
  if (tz !== undefined && after_ms !== undefined)
    fail("team_config", [...path, "tz"], "after_ms is the same in every time zone; leave tz out");
  if (tz !== undefined && !isZone(tz)) {
    const zones = Intl.supportedValuesOf("timeZone");
    fail("team_config", [...path, "tz"], `there is no time zone ${tz}.${suggestion(tz, zones)}`);
  }
  if (task?.trim() === "") fail("team_config", [...path, "task"], "the task is empty");
}

function checkCron(line: string, path: Path, fail: Fail): void {
  const problem = cronProblem(line);
  if (problem !== null) fail("team_config", path, problem);
}

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** A moment as `…Z`, a local time without a zone, or null for what is neither. */
function readAt(text: string): string | null {
  const found =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?$/i.exec(
      text.trim(),
    );
  if (!found) return null;
  const [, date = "", time = "00:00", seconds = "00", fraction = "0", zone] = found;
  const local = `${date}T${time}:${seconds}.${fraction.padEnd(3, "0")}`;
  const utc = new Date(`${local}Z`);
  // A day that a month does not have would roll over into the next.
  if (Number.isNaN(utc.getTime()) || !utc.toISOString().startsWith(date)) return null;
  if (zone === undefined) return local;
  const offset = zone.toUpperCase() === "Z" ? "Z" : zone.replace(/^(...):?/, "$1:");
  const moment = new Date(local + offset);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

/** Of a team file that was checked. */
export function shapeSchedule(schedule: RawTeam["schedule"]): readonly ScheduleEntry[] {
  return Object.entries(schedule ?? {}).map(([agent, moment]) =>
    typeof moment === "string"
      ? { agent, timing: { kind: "cron", cron: plain(moment), tz: DEFAULT_ZONE }, task: null }
      : { agent, timing: timingOf(moment), task: moment.task ?? null },
  );
}

function timingOf({ cron, at, after_ms, tz = DEFAULT_ZONE }: Exclude<RawMoment, string>): Timing {
  if (cron !== undefined) return { kind: "cron", cron: plain(cron), tz };
  if (after_ms !== undefined) return { kind: "after", after_ms };
  const moment = at === undefined ? null : readAt(at);
  if (moment !== null) return { kind: "at", at: moment, tz };
  throw new OxbowError("internal", "A schedule without a time passed the check.");
}

function plain(cron: string): string {
  return cron.trim().replace(/\s+/g, " ");
}
