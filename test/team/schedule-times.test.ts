/** When schedules come: time zones, summer time, what is missed, clocks that jump. No clock runs here. */
import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Timing } from "../../src/core/schedule.ts";
import { parseTeamFile } from "../../src/core/team-file.ts";
import { fireTime, firstDue, judge } from "../../src/team/schedule-times.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;

function timing(text: string): Timing {
  const team = parseTeamFile(`team: T\nagents: [{ name: A }]\nschedule: { A: ${text} }\n`, "team.yaml");
  const [entry] = team.schedule;
  if (!entry) throw new Error("no entry");
  return entry.timing;
}
const cron = (line: string, tz = "Europe/Berlin") => timing(`{ cron: "${line}", tz: "${tz}" }`);
const t = (text: string) => Date.parse(text);
const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString().replace(".000Z", "Z"));

/** Every firing of a worker that looks at the due times themselves. */
function firings(of: Timing, from: string, count: number): (string | null)[] {
  const found: (string | null)[] = [];
  let row = { next_at: firstDue(of, t(from)), last_due: null as number | null };
  while (found.length < count && row.next_at !== null) {
    const due = judge(of, row, row.next_at, HOUR);
    if (due?.due === null || due === null) throw new Error("due, and not fired");
    expect(due.missed).toBeNull();
    found.push(iso(due.due));
    row = { next_at: due.next_at, last_due: due.due };
  }
  return found;
}

describe("summer time in Berlin", () => {
  it("moves a fixed time that is left out to the first moment after it", () => {
    expect(firings(cron("30 2 * * *"), "2026-03-27T12:00:00Z", 3)).toEqual([
      "2026-03-28T01:30:00Z",
      "2026-03-29T01:00:00Z",
      "2026-03-30T00:30:00Z",
    ]);
  });

  it("goes on without the hour that is left out where times repeat", () => {
    expect(firings(cron("*/30 * * * *"), "2026-03-29T00:00:00Z", 3)).toEqual([
      "2026-03-29T00:30:00Z",
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:30:00Z",
    ]);
  });

  it("fires a fixed time that comes twice once", () => {
    expect(firings(cron("30 2 * * *"), "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-26T01:30:00Z",
    ]);
  });

  it("fires in both hours where times repeat", () => {
    expect(firings(cron("0 * * * *"), "2026-10-24T23:30:00Z", 4)).toEqual([
      "2026-10-25T00:00:00Z",
      "2026-10-25T01:00:00Z",
      "2026-10-25T02:00:00Z",
      "2026-10-25T03:00:00Z",
    ]);
  });

  it("keeps a time of day over the change", () => {
    expect(firings(cron("0 6 * * 1-5"), "2026-03-27T00:00:00Z", 2)).toEqual([
      "2026-03-27T05:00:00Z",
      "2026-03-30T04:00:00Z",
    ]);
    expect(firings(cron("0 6 * * *", "UTC"), "2026-03-28T07:00:00Z", 1)).toEqual(["2026-03-29T06:00:00Z"]);
    expect(firings(cron("0 6 * * *", "+02:00"), "2026-03-28T07:00:00Z", 1)).toEqual(["2026-03-29T04:00:00Z"]);
  });

  it.each([
    ["2026-05-01T06:00:00.25", "2026-05-01T04:00:00.250Z"],
    ["2026-05-01T06:00:00Z", "2026-05-01T06:00:00Z"],
    ["2026-05-01T06:00:00+09:00", "2026-04-30T21:00:00Z"],
    // Left out: an hour later. Twice: the first.
    ["2026-03-29T02:30", "2026-03-29T01:30:00Z"],
    ["2026-10-25T02:30", "2026-10-25T00:30:00Z"],
    ["2020-01-01", "2019-12-31T23:00:00Z"],
  ])("knows the moment %s", (at, wanted) => {
    expect(iso(firstDue(timing(`{ at: "${at}", tz: Europe/Berlin }`), 0))).toBe(wanted);
  });
});

describe("a worker that looks late", () => {
  const hourly = cron("0 * * * *", "UTC");
  const row = { next_at: t("2026-05-01T06:00:00Z"), last_due: t("2026-05-01T05:00:00Z") };
  const look = (now: string, graceMs = HOUR, of: Timing = hourly, at = row) => {
    const found = judge(of, at, t(now), graceMs);
    return found && { next: iso(found.next_at), due: iso(found.due), missed: found.missed?.count ?? 0 };
  };

  it("does nothing before its time", () => {
    expect(look("2026-05-01T05:59:59.999Z")).toBeNull();
    expect(judge(hourly, { next_at: null, last_due: null }, 5, HOUR)).toBeNull();
  });

  it("fires what was missed once, as its last due time, and skips the rest", () => {
    expect(look("2026-05-01T06:00:00.000Z")).toEqual({
      next: "2026-05-01T07:00:00Z",
      due: "2026-05-01T06:00:00Z",
      missed: 0,
    });
    expect(look("2026-05-01T06:59:59Z")).toMatchObject({ due: "2026-05-01T06:00:00Z", missed: 0 });
    expect(look("2026-05-01T09:20:00Z")).toEqual({
      next: "2026-05-01T10:00:00Z",
      due: "2026-05-01T09:00:00Z",
      missed: 3,
    });
    expect(judge(hourly, row, t("2026-05-01T09:20:00Z"), HOUR)?.missed?.last).toBe(t("2026-05-01T08:00:00Z"));
  });

  it("skips all of it when the last is longer ago than the grace", () => {
    expect(look("2026-05-01T09:20:00Z", 10 * MINUTE)).toEqual({
      next: "2026-05-01T10:00:00Z",
      due: null,
      missed: 4,
    });
    expect(look("2026-05-01T09:10:00Z", 10 * MINUTE)).toMatchObject({ due: "2026-05-01T09:00:00Z" });
    expect(look("2026-05-01T06:00:00.001Z", 0)).toMatchObject({ due: null, missed: 1 });
  });

  it("counts what it skips up to a thousand, and is quick about a year of seconds", () => {
    expect(look("2027-05-01T06:00:00Z", HOUR, cron("* * * * * *"))).toEqual({
      next: "2027-05-01T06:00:01Z",
      due: "2027-05-01T06:00:00Z",
      missed: 999,
    });
  });

  it("fires a moment, or a delay, late within the grace, and never again", () => {
    const at = timing("{ at: 2026-05-01T06:00:00Z }");
    const over = { next_at: firstDue(at, t("2026-05-01T06:30:00Z")), last_due: null };
    expect(judge(at, over, t("2026-05-01T06:30:00Z"), HOUR)).toEqual({
      next_at: null,
      due: over.next_at,
      missed: null,
    });
    expect(judge(at, over, t("2026-05-01T07:00:00.001Z"), HOUR)).toEqual({
      next_at: null,
      due: null,
      missed: { count: 1, last: over.next_at },
    });
    const delay = timing("{ after_ms: 500 }");
    expect(firstDue(delay, 1000)).toBe(1500);
    expect(judge(delay, { next_at: 1500, last_due: null }, 1600, HOUR)).toEqual({
      next_at: null,
      due: 1500,
      missed: null,
    });
  });
});

describe("a clock that goes back", () => {
  const hourly = cron("0 * * * *", "UTC");
  const fired = { next_at: t("2026-05-01T07:00:00Z"), last_due: t("2026-05-01T06:00:00Z") };

  it("does not repeat a firing", () => {
    expect(judge(hourly, fired, t("2026-05-01T05:59:58Z"), HOUR)).toBeNull();
    expect(judge(hourly, fired, t("2026-05-01T05:00:00Z"), HOUR)).toBeNull();
  });

  it("does not silence a schedule that was fired by a clock far ahead", () => {
    const ahead = { next_at: t("2027-05-01T07:00:00Z"), last_due: t("2027-05-01T06:00:00Z") };
    expect(judge(hourly, ahead, t("2026-05-01T05:30:00Z"), HOUR)).toEqual({
      next_at: t("2026-05-01T06:00:00Z"),
      due: null,
      missed: null,
    });
    const delay = timing("{ after_ms: 500 }");
    expect(judge(delay, { next_at: 100_000, last_due: null }, 1000, HOUR)).toEqual({
      next_at: 1500,
      due: null,
      missed: null,
    });
    expect(judge(delay, { next_at: 1500, last_due: null }, 1000, HOUR)).toBeNull();
  });

  it("leaves a moment where it is", () => {
    const at = timing("{ at: 2026-05-01T06:00:00Z }");
    expect(judge(at, { next_at: t("2026-05-01T06:00:00Z"), last_due: null }, 0, HOUR)).toBeNull();
  });
});

describe("whenever one looks", () => {
  const lines = [
    "*/7 * * * *",
    "30 2 * * *",
    "0 6 * * 1-5",
    "15,45 */3 * * *",
    "0 0 L * *",
    "*/20 * * * * *",
  ];
  const start = t("2026-03-20T00:00:00Z");
  it("each due time is fired or missed once, in order, and none that is not due", () => {
    const looks = fc.array(fc.integer({ min: 1, max: 18 * HOUR }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        fc.constantFrom(...lines),
        looks,
        fc.integer({ min: 0, max: 4 * HOUR }),
        (line, steps, grace) => {
          const of = cron(line);
          let now = start;
          let row = { next_at: firstDue(of, now), last_due: null as number | null };
          let handled = 0;
          let capped = false;
          for (const step of steps) {
            now += step;
            const found = judge(of, row, now, grace);
            if (found === null) continue;
            if (found.due !== null) {
              expect(found.due).toBeLessThanOrEqual(now);
              expect(now - found.due).toBeLessThanOrEqual(grace);
              expect(found.due).toBeGreaterThan(row.last_due ?? 0);
            }
            handled += (found.due === null ? 0 : 1) + (found.missed?.count ?? 0);
            capped ||= (found.missed?.count ?? 0) >= 999;
            row = { next_at: found.next_at, last_due: found.due ?? row.last_due };
            expect(row.next_at).toBeGreaterThan(now);
          }
          if (capped) return;
          const all = new Cron(line, { timezone: "Europe/Berlin", paused: true });
          let wanted = 0;
          for (
            let at = all.nextRun(new Date(start));
            at !== null && at.getTime() <= now;
            at = all.nextRun(at)
          )
            wanted++;
          expect(handled).toBe(wanted);
        },
      ),
      { numRuns: 40 },
    );
  });
});

it("names a firing by its due time", () => {
  expect(fireTime(t("2026-05-01T04:00:00Z"))).toBe("20260501T040000Z");
  expect(fireTime(t("2026-05-01T04:00:00.120Z"))).toBe("20260501T040000120Z");
});
