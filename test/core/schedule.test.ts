/** `schedule:` of team.yaml: what it may say, and where it is wrong. */
import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasCode, type OxbowError } from "../../src/core/errors.ts";
import { cronProblem } from "../../src/core/schedule-cron.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";

const team = (schedule: string) => `team: T\nagents:\n  - name: A\n  - name: Bob\nschedule:\n${schedule}`;
const read = (schedule: string) => parseTeamFile(team(schedule), "team.yaml").schedule;

function refusal(schedule: string): OxbowError {
  try {
    read(schedule);
  } catch (error) {
    if (hasCode(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("schedule:", () => {
  it("takes a cron line, a moment, or a delay, with a zone and a task", () => {
    expect(
      read(
        '  A: " 0  6 * * 1-5 "\n  Bob: { at: 2026-05-01T06:00:00+02:00, tz: Europe/Berlin, task: Tidy }\n',
      ),
    ).toEqual([
      { agent: "A", timing: { kind: "cron", cron: "0 6 * * 1-5", tz: "UTC" }, task: null },
      {
        agent: "Bob",
        timing: { kind: "at", at: "2026-05-01T04:00:00.000Z", tz: "Europe/Berlin" },
        task: "Tidy",
      },
    ]);
    expect(read("  A: { after_ms: 5 }\n")[0]?.timing).toEqual({ kind: "after", after_ms: 5 });
    expect(parseTeamFile("team: T\nagents:\n  - name: A\n", "team.yaml").schedule).toEqual([]);
  });

  it.each([
    ["2026-05-01", "2026-05-01T00:00:00.000"],
    ["2026-05-01 06:30", "2026-05-01T06:30:00.000"],
    ["2026-05-01T06:30:15.5Z", "2026-05-01T06:30:15.500Z"],
    ["2026-05-01T06:30:15+0530", "2026-05-01T01:00:15.000Z"],
  ])("reads the moment %s", (at, wanted) => {
    expect(read(`  A: { at: "${at}" }\n`)[0]?.timing).toEqual({ kind: "at", at: wanted, tz: "UTC" });
  });

  it.each<[string, string, string, number]>([
    [
      "an agent there is not",
      '  Bab: "* * * * *"\n',
      "schedule.Bab: there is no agent Bab. Did you mean Bob?",
      8,
    ],
    ["no time", "  A: { task: x }\n", "schedule.A: give exactly one of cron, at and after_ms", 6],
    ["two times", '  A: { cron: "* * * * *", after_ms: 1 }\n', "give exactly one of", 6],
    ["too few fields", "  A: 0 6 * *\n", "schedule.A: a cron line has 5 fields", 6],
    ["a minute there is not", "  A: 61 6 * * *\n", "schedule.A: minute: 61 is not within 0 to 59", 6],
    [
      "a field in the mapping",
      '  A: { cron: "0 x * * *" }\n',
      'schedule.A.cron: hour: "x" is not understood',
      14,
    ],
    [
      "a word there is not",
      "  A: 0 6 * FOO *\n",
      'month: "FOO" is not understood; write a number, or JAN, FEB …',
      6,
    ],
    ["a range backwards", "  A: 0 22-6 * * *\n", 'hour: "22-6" runs backwards', 6],
    ["a step of nothing", "  A: 0 */0 * * *\n", "hour: the step 0 is not within 1 to 24", 6],
    ["a day that never comes", "  A: 0 6 30 2 *\n", "there is no day 30 in the month 2: it never comes", 6],
    ["a nickname there is not", '  A: "@reboot"\n', "@reboot is no cron line", 6],
    [
      "a zone there is not",
      '  A: { cron: "0 6 * * *", tz: Europe/Berln }\n',
      "there is no time zone Europe/Berln. Did you mean Europe/Berlin?",
      31,
    ],
    ["a zone for a delay", "  A: { after_ms: 5, tz: UTC }\n", "after_ms is the same in every time zone", 25],
    [
      "a moment there is not",
      "  A: { at: 2026-02-30T06:00:00Z }\n",
      'schedule.A.at: "2026-02-30T06:00:00Z" is no point in time',
      12,
    ],
    ["an hour there is not", "  A: { at: 2026-02-20T25:00 }\n", "is no point in time", 12],
    ["an empty task", '  A: { after_ms: 5, task: " " }\n', "the task is empty", 27],
  ])("refuses %s where it stands", (_what, schedule, message, column) => {
    const error = refusal(schedule);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: "team_config", details: { file: "team.yaml", line: 6, column } });
  });
});

const number = (min: number, max: number) => fc.integer({ min, max }).map(String);
const item = (min: number, max: number, words: readonly string[] = []) => {
  const one = words.length > 0 ? fc.oneof(number(min, max), fc.constantFrom(...words)) : number(min, max);
  const range = fc.tuple(one, one).map(([from, to]) => `${from}-${to}`);
  const stepped = fc
    .tuple(fc.oneof(fc.constant("*"), range, one), number(0, max + 2))
    .map(([r, s]) => `${r}/${s}`);
  return fc.oneof(fc.constant("*"), one, range, stepped);
};
const field = (min: number, max: number, words: readonly string[] = [], more: readonly string[] = []) =>
  fc
    .array(
      more.length > 0 ? fc.oneof(item(min, max, words), fc.constantFrom(...more)) : item(min, max, words),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((items) => items.join(","));
const line = fc
  .tuple(
    fc.oneof(
      fc.constant(""),
      field(0, 60).map((text) => `${text} `),
    ),
    field(0, 60),
    field(0, 24),
    field(0, 32, [], ["L"]),
    field(0, 13, ["jan", "FEB", "Dec"]),
    field(0, 8, ["sun", "MON", "Sat"], ["FRI#2", "1#5"]),
  )
  .map(([seconds, ...rest]) => seconds + rest.join(" "));

describe("a cron line that is let through", () => {
  it("is one that the scheduler's library reads, and that comes", () => {
    fc.assert(
      fc.property(line, (text) => {
        fc.pre(cronProblem(text) === null);
        const next = new Cron(text, { timezone: "UTC", paused: true }).nextRun(
          new Date("2026-01-01T00:00:00Z"),
        );
        expect(next, text).not.toBeNull();
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
    "0 0 29 2 *",
    "0 0 31 * *",
    "0 0 L 2 *",
    "*/5 * * * * *",
    "0 0 * * 5-7",
    "0 0 * * sat-sun",
    "0 0 30 2 MON",
  ])("%s", (text) => {
    expect(cronProblem(text)).toBeNull();
    expect(new Cron(text, { timezone: "UTC", paused: true }).nextRun()).not.toBeNull();
  });
});
